/** Refusals by the bridge, told from failures to reach it without loading the client. Pure. */
import type { CausewayError } from "causeway-mqtt/client";

export function refusalOf(error: unknown): Pick<CausewayError, "code" | "detail"> | undefined {
  return error instanceof Error && error.name === "CausewayError" ? (error as CausewayError) : undefined;
}

/** Why a call failed, as the end of a sentence. */
export function reasonOf(error: unknown): string {
  return refusalOf(error)?.detail ?? "the bridge cannot be reached";
}
