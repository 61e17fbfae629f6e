/** The Problems that outcomes of the delivery side stand for. */

import { fieldProblem, Problem } from "../http/problem.ts";
import { InvalidField } from "../uplink/queue/delivery-filter.ts";
import type { NotRedelivered } from "../uplink/queue/redelivery.ts";

/** @param path prefix of the fields, e.g. `query.`  @throws Problem that names the field */
export function requireFields<T>(result: T | InvalidField, path = ""): T {
  if (!(result instanceof InvalidField)) return result;
  const code = result.field === "topic" ? "invalid_topic_filter" : "invalid_request";
  throw fieldProblem(code, path + result.field, result.message);
}

export function notRedelivered(reason: NotRedelivered, messageId: string): Problem {
  switch (reason) {
    case "not_found":
      return new Problem("not_found", `there is no delivery of ${messageId}`);
    case "active":
      return new Problem("conflict", "the delivery is being sent");
    case "waiting":
      return new Problem("conflict", "the delivery is waiting to be sent");
    case "changed":
      return new Problem("conflict", "the delivery has changed in the meantime");
  }
}

export function noReplay(id: string): Problem {
  return new Problem("not_found", `there is no replay ${id}`);
}
