import type { Hook } from "causeway-mqtt/client";
import { StateMark } from "../../components/state-mark.tsx";
import { Time } from "../../components/time.tsx";
import { pathTo } from "../../data/address.ts";
import { verifyWords } from "./hook-form.ts";

export function HookTable({ hooks }: { hooks: readonly Hook[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section class="table-wrap" tabIndex={0} aria-label="Hooks">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Name</th>
            <th scope="col">Topic</th>
            <th scope="col">Verified</th>
            <th scope="col">Methods</th>
            <th scope="col">Changed</th>
          </tr>
        </thead>
        <tbody>
          {hooks.map((hook) => (
            <tr key={hook.id}>
              <td>
                <StateMark {...hookMark(hook)} />
              </td>
              <th scope="row" class="hook-name">
                <a href={pathTo("hooks", { hook: hook.id })} data-row>
                  {hook.name}
                </a>
              </th>
              <td class="mono wide" title={hook.topic}>
                {hook.topic}
              </td>
              <td>{verifyWords(hook.verify)}</td>
              <td>{hook.methods.join(", ")}</td>
              <td>
                <Time at={hook.updatedAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function hookMark({ state }: Pick<Hook, "state">) {
  return state === "active"
    ? ({ tone: "delivered", word: "Active" } as const)
    : ({ tone: "failed", word: "Stopped" } as const);
}
