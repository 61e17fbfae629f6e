import type { Draft } from "./draft.ts";
import type { WebhookForm } from "./use-form.ts";

const TYPES: readonly (readonly [type: Draft["type"], word: string, about: string])[] = [
  ["push", "The bridge calls a URL", "For a receiver that the bridge can reach."],
  [
    "pull",
    "A program takes the messages",
    "For a program without an address. The messages wait until it acknowledges them.",
  ],
];

/** How deliveries reach their consumer. It cannot be changed later. */
export function TypeChoice({ form: { draft, set, setAnswered } }: { form: WebhookForm }) {
  const choose = (type: Draft["type"]) => {
    set({ type });
    // The questions of a preset are about calls.
    setAnswered(true);
  };
  return (
    <fieldset class="section panel types">
      <legend>Push or pull</legend>
      {TYPES.map(([type, word, about]) => (
        <label key={type} class="row check">
          <input type="radio" name="type" checked={draft.type === type} onChange={() => choose(type)} />
          <span>
            {word} <span class="quiet small">{about}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}
