/**
 * Makes every script check the identity of the store first. A Redis that lost its data, or a different Redis in its
 * place, then behaves like an unavailable one: no data is written to it, and no missing data is mistaken for removed
 * data. The check runs inside the script, so no failover or FLUSHALL can happen between check and execution.
 *
 * BullMQ changes queues only through scripts, and the adapters in this folder use scripts for reading, too.
 */
import type { Redis } from "ioredis";
import { CannotStartError } from "../../errors.ts";
import { IDENTITY } from "../identity.ts";

interface Definition {
  lua: string;
  numberOfKeys?: number;
  readOnly?: boolean;
}

/** Error code of a failed check. */
const CODE = "WRONGSTORE";
export const PROBE = "causeway_probe";

export class Gate {
  readonly #prefix: string;
  /** All definitions so far, to be repeated with the check once the identity is known. */
  readonly #definitions: (() => void)[] = [];
  #check = "";

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Must be called before any script is defined on the client, and before other wrappers of `defineCommand`. */
  guard(client: Redis): void {
    const define = client.defineCommand.bind(client);
    client.defineCommand = (name: string, definition: Definition) => {
      // The head of a script that declares flags must stay its first line.
      if (definition.lua.startsWith("#!")) {
        throw new CannotStartError(`The script ${name} declares flags and cannot check the identity of the store.`);
      }
      const defineChecked = () => define(name, { ...definition, lua: this.#check + definition.lua });
      this.#definitions.push(defineChecked);
      defineChecked();
    };
    client.defineCommand(PROBE, { numberOfKeys: 0, lua: "return 1" });
  }

  /** Restricts all scripts, from now on, to the store with this identity. */
  close(identity: string): void {
    this.#check = checkFor(identity, this.#prefix);
    for (const defineChecked of this.#definitions) defineChecked();
  }
}

/** Rejects when the bound store does not respond on this connection. */
export async function probe(client: Redis): Promise<void> {
  await (client as unknown as Record<string, () => Promise<unknown>>)[PROBE]!();
}

export function isWrongStore(err: unknown): boolean {
  return err instanceof Error && err.message.startsWith(CODE);
}

function checkFor(identity: string, prefix: string): string {
  return `
do
  local there = redis.call('HGET', '${prefix}:r:${IDENTITY.collection}', '${IDENTITY.id}')
  if not there or not string.find(there, '"id":"${identity}"', 1, true) then
    local found = there and string.match(there, '"id":"([^"]*)"')
    found = found and 'the identity ' .. found or 'no identity, as after a loss of its data'
    return redis.error_reply('${CODE} Redis holds another store: it has ' .. found .. ' instead of ${identity}')
  end
end
`;
}
