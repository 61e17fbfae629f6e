import type { Redis } from "ioredis";

type Script = (...keysThenArguments: (string | number)[]) => Promise<unknown>;

/** Defines a Lua script that is sent once and then called by its digest; ioredis resends it to a Redis that lost it. */
export function script(client: Redis, name: string, numberOfKeys: number, lua: string): Script {
  const commands = client as unknown as Record<string, Script | undefined>;
  const command = `causeway_${name}`;
  if (!commands[command]) client.defineCommand(command, { numberOfKeys, lua });
  return (...args) => commands[command]!(...args);
}

/** Pairs up a reply such as HGETALL's, which a script returns as a flat list. */
export function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!]);
}
