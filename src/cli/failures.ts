/** Exit codes, and errors as people and programs read them. */
import { CommanderError } from "commander";
import { CausewayConnectionError, CausewayError } from "../client/index.ts";
import { DocumentError } from "../configuration/documents.ts";
import { BrokerError } from "../simulate/broker-error.ts";
import { printable } from "./output/printable.ts";

export const EXIT = {
  done: 0,
  /** The command worked, and its answer is negative: a failed check, a cancelled replay. */
  no: 1,
  usage: 2,
  refused: 3,
  unreachable: 4,
  unauthorized: 5,
  /** EX_SOFTWARE of sysexits.h: a defect of this program. */
  defect: 70,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The command line, its input or the profile is wrong. */
export class UsageError extends Error {}

function isUsage(error: unknown): boolean {
  return error instanceof UsageError || error instanceof DocumentError;
}

/** No API key was found, so no call is made. */
export class NoKeyError extends Error {}

interface FailureReport {
  code: string;
  detail: string;
  status?: number;
  errors?: { path: string; message: string }[];
  requestId?: string;
}

/** Statuses with which a proxy says that it does not reach the bridge. */
const PROXY_STATUSES = [502, 503, 504];

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (isUsage(error)) return EXIT.usage;
  if (error instanceof NoKeyError) return EXIT.unauthorized;
  if (error instanceof CausewayConnectionError) return EXIT.unreachable;
  if (error instanceof BrokerError) return error.isUnauthorized ? EXIT.unauthorized : EXIT.unreachable;
  if (!(error instanceof CausewayError)) return EXIT.defect;
  if (error.status === 401 || error.status === 403) return EXIT.unauthorized;
  return error.code === undefined && PROXY_STATUSES.includes(error.status) ? EXIT.unreachable : EXIT.refused;
}

export function report(error: unknown, { isJson, stderr }: { isJson: boolean; stderr: NodeJS.WritableStream }): void {
  // Commander has printed the help or the version.
  if (error instanceof CommanderError && /^commander\.(help|helpDisplayed|version)$/.test(error.code)) return;
  const failure = failureOf(error);
  stderr.write(isJson ? `${JSON.stringify(failure)}\n` : forPeople(failure));
  if (exitCodeOf(error) === EXIT.defect && error instanceof Error) stderr.write(`${error.stack}\n`);
}

export function failureOf(error: unknown): FailureReport {
  if (error instanceof CausewayError) {
    const { code, detail, status, errors, requestId } = error;
    return {
      code: code ?? `http_${status}`,
      detail,
      status,
      ...(errors.length > 0 && { errors }),
      ...(requestId !== undefined && { requestId }),
    };
  }
  const detail = error instanceof Error ? error.message.replace(/^error: /, "") : String(error);
  if (error instanceof CommanderError || isUsage(error)) return { code: "usage", detail };
  if (error instanceof NoKeyError) return { code: "no_api_key", detail };
  if (error instanceof BrokerError) return { code: error.isUnauthorized ? "broker_refused" : "unreachable", detail };
  return { code: error instanceof CausewayConnectionError ? "unreachable" : "defect", detail };
}

function forPeople({ code, detail, errors = [], requestId }: FailureReport): string {
  const lines = [`causeway: ${code === "usage" ? "" : `${code}: `}${detail}`];
  // A single field is in the detail already.
  if (errors.length > 1) lines.push(...errors.map(({ path, message }) => `  ${path}: ${message}`));
  if (requestId !== undefined) lines.push(`  request ${requestId}`);
  return lines.map((line) => `${printable(line)}\n`).join("");
}
