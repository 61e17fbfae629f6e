interface ChoicesProps<T extends string> {
  /** Names the group for screen readers. */
  label: string;
  value: T;
  options: readonly (readonly [value: T, word: string])[];
  onChange: (value: T) => void;
}

/** A few choices side by side, one of which is taken. */
export function Choices<T extends string>({ label, value, options, onChange }: ChoicesProps<T>) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div class="choices" role="group" aria-label={label}>
      {options.map(([option, word]) => (
        <button type="button" key={option} aria-pressed={option === value} onClick={() => onChange(option)}>
          {word}
        </button>
      ))}
    </div>
  );
}
