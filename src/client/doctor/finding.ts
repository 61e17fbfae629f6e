/** A result of `causeway doctor`. */
export interface Finding {
  check: string;
  status: "ok" | "warning" | "failed" | "skipped";
  detail: string;
  /** Remedy: present if the check failed or warns. */
  advice?: string;
}

export const ok = (check: string, detail: string): Finding => ({ check, status: "ok", detail });
export const skipped = (check: string, detail: string): Finding => ({ check, status: "skipped", detail });
export const warning = (check: string, detail: string, advice: string): Finding => ({
  check,
  status: "warning",
  detail,
  advice,
});
export const failed = (check: string, detail: string, advice: string): Finding => ({
  check,
  status: "failed",
  detail,
  advice,
});
