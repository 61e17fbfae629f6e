/** Every GET of the contract, called with the data of two tenants. */
import assert from "node:assert/strict";
import {
  type OpenApi,
  type Operation,
  operationsOf,
  type Parameter,
  resolve,
  scopesOf,
} from "../../src/http/document.ts";

/** Data that the bridge holds for a tenant. */
export interface Tenant {
  name: string;
  /** Topic filter of all its topics. */
  filter: string;
  /** Topic of its message. */
  topic: string;
  /** Topic of its retained message. */
  retainedTopic: string;
  webhookId: string;
  externalId: string;
  messageId: string;
  /** A stored publish. */
  storedId: string;
  requestId: string;
  replayId: string;
}

export interface Get {
  operation: Operation;
  path: string;
  /** `foreign`: a required parameter has a value of the other tenant. `filtered`: an optional parameter is set. */
  values: "own" | "foreign" | "filtered";
}

type Values = Record<string, (tenant: Tenant) => string[]>;

const webhook: Values = { id: ({ webhookId }) => [webhookId] };
const delivered: Values = { topic: ({ filter }) => [filter] };

const steps: Values = { range: () => ["1h", "24h", "30d"], stepSeconds: () => ["3600"] };

/** Values of the parameters of each GET. A new GET needs a line here, which shows that it keeps tenants apart. */
const VALUES: Record<string, Values> = {
  getMessage: { id: ({ messageId, storedId }) => [messageId, storedId] },
  listRetained: { filter: ({ filter }) => [filter] },
  getRetained: { topic: ({ retainedTopic }) => [retainedTopic] },
  getRequest: { id: ({ requestId }) => [requestId] },
  openStream: { topic: ({ filter }) => [filter] },
  listKeys: {},
  listWebhooks: {
    ...{ name: ({ name }) => [name], topic: ({ topic }) => [topic], externalId: ({ externalId }) => [externalId] },
  },
  getWebhook: webhook,
  confirmWebhook: { ...webhook, token: () => ["x"] },
  listAllDeliveries: { ...delivered, webhookId: ({ webhookId }) => [webhookId] },
  listDeliveries: { ...webhook, ...delivered },
  getDelivery: { ...webhook, messageId: ({ messageId }) => [messageId] },
  getWebhookMetrics: { ...webhook, ...steps },
  getReplay: { ...webhook, replayId: ({ replayId }) => [replayId] },
  getSession: {},
  getStatus: {},
  getAllMetrics: steps,
  getHealth: {},
  getReady: {},
  getMetrics: {},
};

const COMMON: Values = {
  limit: () => ["1", "250"],
  since: () => ["2020-01-01T00:00:00Z"],
  until: () => ["2099-01-01T00:00:00Z"],
};

/** @param cursorOf a cursor of a list at this path, from a caller that sees everything */
export async function everyGet(
  openapi: OpenApi,
  own: Tenant,
  other: Tenant,
  cursorOf: (path: string) => Promise<string>,
): Promise<Get[]> {
  const operations = operationsOf(openapi).filter(({ method }) => method === "get");
  const calls: Get[] = [];
  for (const { path, operation } of operations) {
    const values = VALUES[operation.operationId];
    assert.ok(values, `add the parameters of ${operation.operationId} to VALUES`);
    const parameters = [...(openapi.paths[path]!.parameters ?? []), ...(operation.parameters ?? [])]
      .map((one) => resolve(openapi, one))
      .filter((parameter) => parameter.in !== "header");
    const valuesOf = ({ name, schema }: Parameter, tenant: Tenant) => {
      const { enum: fixed } = resolve(openapi, schema as { enum?: unknown[] });
      const found = values[name]?.(tenant) ?? COMMON[name]?.(tenant) ?? fixed?.map(String);
      assert.ok(found, `add the parameter ${name} of ${operation.operationId} to VALUES`);
      return found;
    };
    const isRequired = ({ required }: Parameter) => required === true;
    let bases: Get[] = [{ operation, path, values: "own" }];
    for (const parameter of parameters.filter(isRequired)) {
      bases = bases.flatMap((base) => [
        ...valuesOf(parameter, own).map((value) => withValue(base, parameter, value)),
        ...valuesOf(parameter, other).map((value) => ({
          ...withValue(base, parameter, value),
          values: "foreign" as const,
        })),
      ]);
    }
    calls.push(...bases);
    for (const parameter of parameters.filter((one) => !isRequired(one))) {
      for (const base of bases.filter((one) => one.values === "own")) {
        const optional =
          parameter.name === "after"
            ? [await cursorOf(base.path)]
            : [...valuesOf(parameter, own), ...valuesOf(parameter, other)];
        calls.push(...optional.map((value) => ({ ...withValue(base, parameter, value), values: "filtered" as const })));
      }
    }
  }
  return calls;
}

function withValue(get: Get, { name, in: place }: Parameter, value: string): Get {
  const text = encodeURIComponent(value);
  const { path } = get;
  if (place === "path") return { ...get, path: path.replace(`{${name}}`, text) };
  return { ...get, path: `${path}${path.includes("?") ? "&" : "?"}${name}=${text}` };
}

/** Whether a key with only the scope `view` may call the operation. */
export function isViewable(operation: Operation): boolean {
  return scopesOf(operation).includes("view");
}
