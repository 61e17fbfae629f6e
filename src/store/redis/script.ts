import type { Redis } from "ioredis";

type Script = (...keysThenArguments: (string | number)[]) => Promise<unknown>;

/** A Lua script sent once and then called by its digest; ioredis sends it again to a Redis that lost it. */
export function script(client: Redis, name: string, numberOfKeys: number, lua: string): Script {
  const commands = client as unknown as Record<string, Script | undefined>;
  const command = `causeway_${name}`;
  if (!commands[command]) client.defineCommand(command, { numberOfKeys, lua });
  return (...args) => commands[command]!(...args);
}
