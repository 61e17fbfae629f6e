import { useRef, useState } from "preact/hooks";
import { Spacer } from "../../components/spacer.tsx";
import { isUtc, now } from "../../data/clock.ts";
import { countOf, formatClock } from "../../data/format.ts";
import { MAX_MESSAGES, type TailMessage } from "./tail.ts";
import type { TailHandle } from "./use-tail.ts";
import { useWindow } from "./use-window.ts";

const ROW_HEIGHT = 30;

interface StreamViewProps {
  handle: TailHandle;
  selected: number | undefined;
  onSelect: (message: TailMessage) => void;
}

/**
 * The last messages, newest first. While the reader is inside the list, by scrolling or by keyboard, it stands still
 * and counts what arrives.
 */
export function StreamView({ handle: { tail, version }, selected, onSelect }: StreamViewProps) {
  version.value;
  const [held, setHeld] = useState<{ messages: readonly TailMessage[]; listed: number }>();
  // The list that the reader sees, to which messages may have been added since.
  const drawn = useRef({ messages: tail.messages, length: 0, listed: 0 });
  drawn.current = { messages: tail.messages, length: tail.messages.length, listed: tail.listed };
  const hold = () => {
    const { messages, length, listed } = drawn.current;
    setHeld((old) => old ?? { messages: messages.slice(Math.max(0, length - MAX_MESSAGES), length), listed });
  };
  const source = held?.messages ?? tail.messages;
  const count = Math.min(source.length, MAX_MESSAGES);
  const view = useWindow(count, ROW_HEIGHT);
  const newer = held ? tail.listed - held.listed : 0;
  const release = () => {
    if (view.ref.current) view.ref.current.scrollTop = 0;
    (document.activeElement as HTMLElement | null)?.blur();
    setHeld(undefined);
  };
  const rows = [];
  for (let i = view.from; i < view.to; i++) rows.push(source[source.length - 1 - i]!);
  return (
    <div class="stream">
      <section
        ref={view.ref}
        class="table-wrap live-list"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        tabIndex={0}
        aria-label="Messages, newest first"
        onScroll={() => {
          view.onScroll();
          if (view.ref.current!.scrollTop > ROW_HEIGHT / 2) hold();
        }}
        onFocusIn={({ target, currentTarget }) => target !== currentTarget && hold()}
      >
        <table class="table" aria-rowcount={count + 1}>
          <thead>
            <tr>
              <th scope="col" class="at">
                Time
              </th>
              <th scope="col" class="topic">
                Topic
              </th>
              <th scope="col">Payload</th>
            </tr>
          </thead>
          <tbody>
            <Spacer height={view.above} columns={3} />
            {rows.map((message, i) => (
              <Row
                key={message.number}
                message={message}
                index={view.from + i + 2}
                isSelected={message.number === selected}
                onSelect={onSelect}
              />
            ))}
            <Spacer height={view.below} columns={3} />
          </tbody>
        </table>
      </section>
      {held && (
        <button type="button" class="button newer" onClick={release}>
          {newer === 0 ? "The list stands still. Continue" : `Show ${countOf(newer, "newer message")}`}
        </button>
      )}
    </div>
  );
}

interface RowProps {
  message: TailMessage;
  index: number;
  isSelected: boolean;
  onSelect: (message: TailMessage) => void;
}

function Row({ message, index, isSelected, onSelect }: RowProps) {
  const clock = useRef<string>();
  clock.current ??= formatClock(message.at, now.peek(), isUtc.peek());
  return (
    <tr aria-rowindex={index} aria-selected={isSelected}>
      <td class="quiet">{clock.current}</td>
      <td>
        <button type="button" class="topic-button mono" data-row onClick={() => onSelect(message)}>
          {message.topic}
        </button>
      </td>
      <td class="mono">{message.preview}</td>
    </tr>
  );
}
