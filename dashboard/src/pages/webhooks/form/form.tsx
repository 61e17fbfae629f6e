/** The form of a new webhook and of one that is changed. */
import { useState } from "preact/hooks";
import { ErrorNotice } from "../../../components/error-notice.tsx";
import "../webhook-pages.css";
import { Essentials } from "./essentials.tsx";
import { LivePreview } from "./live-preview.tsx";
import { DeliverySection, SecuritySection } from "./more-sections.tsx";
import { PresetPicker } from "./preset-picker.tsx";
import { DestinationSection, openSections, ShapeSection, SourceSection } from "./sections.tsx";
import { TypeChoice } from "./type-choice.tsx";
import type { WebhookForm } from "./use-form.ts";

interface FormProps {
  form: WebhookForm;
  isNew: boolean;
  /** A verb: "Create the webhook". */
  action: string;
  /** Why there is nothing to save. */
  isUnchanged?: boolean;
  onSave: () => Promise<void>;
  onCancel: () => void;
}

export function FormOfWebhook({ form, isNew, action, isUnchanged = false, onSave, onCancel }: FormProps) {
  const [open, setOpen] = useState(() => openSections(form.draft));
  const [isRunning, setRunning] = useState(false);
  const [error, setError] = useState<Error>();
  const save = async (event: Event) => {
    event.preventDefault();
    setRunning(true);
    setError(undefined);
    try {
      await onSave();
    } catch (failure) {
      form.refuse(failure as Error);
      setError(failure as Error);
    }
    setRunning(false);
  };
  const props = { form, isNew };
  const isPull = form.draft.type === "pull";
  return (
    <form class="webhook-form" onSubmit={save} noValidate>
      <div class="section">
        {isNew && <TypeChoice form={form} />}
        {isNew && !isPull && <PresetPicker form={form} onPick={() => setOpen((now) => ({ ...now, shape: true }))} />}
        <Essentials form={form} />
        <ShapeSection {...props} isOpen={open.shape} />
        {!isPull && <DestinationSection {...props} isOpen={open.destination} />}
        <SourceSection {...props} isOpen={open.source} />
        <DeliverySection {...props} isOpen={open.delivery} />
        {!isPull && <SecuritySection {...props} isOpen={open.security} />}
        {error && <ErrorNotice error={error} title={isNew ? "The webhook was not created" : "Nothing was changed"} />}
        <div class="row form-actions">
          <button type="submit" class="button primary" disabled={isRunning || isUnchanged || !form.isAnswered}>
            {isRunning ? "Saving" : action}
          </button>
          <button type="button" class="button" onClick={onCancel}>
            Cancel
          </button>
          {!form.isAnswered && <span class="quiet small">Some questions of the preset have no answer yet.</span>}
          {isUnchanged && <span class="quiet small">Nothing is changed yet.</span>}
        </div>
      </div>
      <LivePreview form={form} />
    </form>
  );
}
