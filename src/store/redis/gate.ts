/**
 * Makes every script check the identity of the store before it does anything. A Redis that lost its data, or another
 * one in its place, then answers like a Redis that is away: nothing is written there, and nothing is read from it that
 * would count as removed. The check runs inside the script, so no failover or FLUSHALL can come in between.
 *
 * BullMQ changes queues by scripts alone, and the adapters here use scripts for reading, too.
 */
import type { Redis } from "ioredis";
import { IDENTITY } from "../identity.ts";

interface Definition {
  lua: string;
  numberOfKeys?: number;
  readOnly?: boolean;
}

/** The error code that the check answers with. */
const CODE = "WRONGSTORE";
export const PROBE = "causeway_probe";

export class Gate {
  readonly #prefix: string;
  /** Everything defined so far, to be defined again once the identity is known. */
  readonly #definitions: (() => void)[] = [];
  #check = "";

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** To be called before anything is defined on the client, and before other wrappers of `defineCommand`. */
  guard(client: Redis): void {
    const define = client.defineCommand.bind(client);
    client.defineCommand = (name: string, definition: Definition) => {
      const defineChecked = () => define(name, { ...definition, lua: this.#check + definition.lua });
      this.#definitions.push(defineChecked);
      defineChecked();
    };
    client.defineCommand(PROBE, { numberOfKeys: 0, lua: "return 1" });
  }

  /** From now on scripts run only in the store with this identity. */
  close(identity: string): void {
    this.#check = checkFor(identity, this.#prefix);
    for (const defineChecked of this.#definitions) defineChecked();
  }
}

/** Rejects when the right store does not answer on this connection. */
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
