import { signal } from "@preact/signals";
import type { Tone } from "./state-mark.tsx";

interface Toast {
  id: number;
  tone: Tone;
  text: string;
}

const SHOWN_MS = 6_000;
const MAX_SHOWN = 4;

const toasts = signal<Toast[]>([]);
let last = 0;

/** Shows a short message for some seconds: the outcome of an act that changes nothing on the page by itself. */
export function toast(text: string, tone: Tone = "delivered"): void {
  const id = ++last;
  toasts.value = [...toasts.value, { id, tone, text }].slice(-MAX_SHOWN);
  setTimeout(() => {
    toasts.value = toasts.value.filter((one) => one.id !== id);
  }, SHOWN_MS);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, tone, text }) => (
        <div class={`notice ${tone}`} key={id}>
          {text}
        </div>
      ))}
    </div>
  );
}
