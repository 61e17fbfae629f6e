import { useMemo, useState } from "preact/hooks";
import { formatBytes } from "../data/format.ts";
import { Choices } from "./choices.tsx";
import { Copy } from "./copy.tsx";
import { JsonView } from "./json-view.tsx";
import {
  cutText,
  fileNameOf,
  hexDump,
  type Payload,
  type PayloadContent,
  readPayload,
  type View,
} from "./payload-bytes.ts";
import "./payload.css";

const WORDS: Record<View, string> = { json: "JSON", text: "Text", hex: "Hex" };
/** Bytes or characters rendered before the reader asks for all. */
const FIRST = 16_384;

interface PayloadProps extends PayloadContent {
  /** Name of the file for the download, without an extension. */
  name: string;
}

/** The bytes of a payload as JSON, text or hex. They are never parsed and printed anew. */
export function PayloadView({ text, base64, name }: PayloadProps) {
  const payload = useMemo(() => readPayload({ text, base64 }), [text, base64]);
  const [wanted, setWanted] = useState<View>();
  const { bytes, views } = payload;
  if (bytes.length === 0) return <p class="quiet">The payload is empty.</p>;
  const view = wanted && views.includes(wanted) ? wanted : views[0]!;
  return (
    <div class="payload section">
      <div class="section-head">
        <div class="row">
          {views.length > 1 && (
            <Choices
              label="Show the payload as"
              value={view}
              options={views.map((one) => [one, WORDS[one]] as const)}
              onChange={setWanted}
            />
          )}
          <span class="small quiet">
            {formatBytes(bytes.length)}
            {views[0] === "hex" && (payload.text === undefined ? ", not text" : ", contains NUL")}
          </span>
        </div>
        <div class="row">
          <Copy text={view === "hex" || payload.text === undefined ? hexOf(bytes) : payload.text} label="Copy" />
          <Download bytes={bytes} name={fileNameOf(name, views[0])} />
        </div>
      </div>
      {view === "json" ? <JsonView text={payload.text!} /> : <Plain key={view} payload={payload} view={view} />}
    </div>
  );
}

function Plain({ payload: { bytes, text = "" }, view }: { payload: Payload; view: "text" | "hex" }) {
  const [isAll, setAll] = useState(false);
  const limit = isAll ? Number.POSITIVE_INFINITY : FIRST;
  const shown = useMemo(
    () => (view === "hex" ? hexDump(bytes.subarray(0, limit)) : cutText(text, limit)),
    [bytes, text, view, limit],
  );
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard */}
      <section class="payload-body" tabIndex={0} aria-label={`Payload as ${view}`}>
        <pre class={view}>{shown}</pre>
      </section>
      {(view === "hex" ? bytes : text).length > limit && (
        <button type="button" class="button" onClick={() => setAll(true)}>
          Show all {formatBytes(bytes.length)}
        </button>
      )}
    </>
  );
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function Download({ bytes, name }: { bytes: Uint8Array<ArrayBuffer>; name: string }) {
  const download = () => {
    const url = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    link.click();
    // The browser has begun to read by then.
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  return (
    <button type="button" class="button" onClick={download}>
      Download
    </button>
  );
}
