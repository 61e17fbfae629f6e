/** Words of the settings. Pure. */
import type { Check } from "../../data/states.ts";

/** `It is ready.`, `It is not ready: broker fails.` More checks are listed below, so that these are not called all. */
export function checksLead(checks: Record<string, Check>): string {
  const names = Object.keys(checks);
  const failed = names.filter((name) => !checks[name]!.ok);
  if (failed.length === 0) return "It is ready.";
  return `It is not ready: ${failed.join(" and ")} ${failed.length === 1 ? "fails" : "fail"}.`;
}

export const SCOPE_WORDS: Record<string, string> = {
  publish: "publish messages and ask devices",
  read: "read messages live and retained",
  webhooks: "create, change and delete webhooks",
  view: "see webhooks, deliveries and the status",
  admin: "manage keys, and see everything",
};

/** `everything`, `devices/#, pumps/#`, `nothing`. */
export function filterWords(filters: readonly string[]): string {
  if (filters.length === 0) return "nothing";
  return filters.includes("#") ? "every topic" : filters.join(", ");
}

export interface Setting {
  name: string;
  /** Absent if the variable has no value. */
  value?: string;
  /** A secret, of which only its presence is shown. */
  isMasked: boolean;
}

export function settingsOf(settings: Record<string, unknown>): Setting[] {
  return Object.entries(settings).map(([name, value]) => {
    if (value === null || value === undefined) return { name, isMasked: false };
    return { name, value: String(value), isMasked: value === "set" };
  });
}
