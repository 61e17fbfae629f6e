/**
 * Rewrites BullMQ's Lua scripts as they are defined on a client. Each rewrite states what it relies on: a script of
 * another version of BullMQ that differs there, or is missing, makes the start fail. Otherwise it would run unchanged.
 */
import { RedisConnection } from "bullmq";
import type { Redis } from "ioredis";
import { CannotStartError } from "../../errors.ts";

export interface ScriptRewrite {
  /** BullMQ's name of the script. */
  script: string;
  /** Must match exactly once in BullMQ's own text. */
  expected: RegExp;
  rewrite(lua: string): string;
}

/** Must be called before BullMQ defines its scripts on the client; {@link loadScripts} has it define them. */
export function rewriteScripts(client: Redis, rewrites: readonly ScriptRewrite[]): void {
  const define = client.defineCommand.bind(client);
  const loaded: Loaded = { version: "", missing: new Set(rewrites.map(({ script }) => script)) };
  loadedScripts.set(client, loaded);
  client.defineCommand = (name, definition) => {
    // BullMQ's names end with the version of the package.
    const [script = "", version] = name.split(":");
    if (version === undefined) return define(name, definition);
    loaded.version = version;
    loaded.missing.delete(script);
    define(name, { ...definition, lua: rewritten(script, version, definition.lua, rewrites) });
  };
}

interface Loaded {
  /** Version of BullMQ. */
  version: string;
  /** Scripts with a rewrite that BullMQ has not defined yet. */
  missing: Set<string>;
}

const loadedScripts = new WeakMap<Redis, Loaded>();

/** @throws CannotStartError if a script is not the one that a rewrite expects, or is missing */
export async function loadScripts(client: Redis): Promise<void> {
  const options = { shared: true, blocking: false, skipVersionCheck: true, skipWaitingForReady: true };
  const connection = new RedisConnection(client, options);
  try {
    await connection.client;
  } finally {
    await connection.close();
  }
  const { version, missing } = loadedScripts.get(client)!;
  for (const script of missing) throw unknownScript(script, version, "is missing");
}

function rewritten(script: string, version: string, lua: string, rewrites: readonly ScriptRewrite[]): string {
  let result = lua;
  for (const { expected, rewrite } of rewrites.filter((each) => each.script === script)) {
    const found = lua.match(new RegExp(expected, `g${expected.flags}`))?.length ?? 0;
    if (found !== 1) throw unknownScript(script, version, `contains ${expected} ${found} times instead of once`);
    result = rewrite(result);
  }
  return result;
}

function unknownScript(script: string, version: string, fault: string): Error {
  return new CannotStartError(
    `The script ${script} of bullmq ${version} is not the one that this version of Causeway rewrites: it ${fault}. ` +
      "Install the version of bullmq that package-lock.json names.",
  );
}

/** Lua pattern that matches a text literally. */
export function luaPattern(text: string): string {
  // Only ASCII: Lua matches bytes, and an escape must not split a character.
  return text.replace(/[^\w:\u0080-\uffff]/g, "%$&");
}
