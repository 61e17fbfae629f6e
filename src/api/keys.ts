/** Handlers for API keys. */
import type { Handlers } from "../http/contract/index.ts";
import { Problem, unwrap } from "../http/problem.ts";
import type { Keys } from "../keys/keys.ts";

export interface KeyPorts {
  keys: Pick<Keys, "create" | "list" | "remove">;
}

export function keyHandlers({ keys }: KeyPorts) {
  return {
    createKey: async (request, reply) => {
      const key = unwrap(await keys.create(request.body));
      reply.header("location", `/v1/keys/${key.id}`);
      return key;
    },
    listKeys: async (request) => unwrap(await keys.list(request.query)),
    deleteKey: async ({ params: { id } }) => {
      if (!(await keys.remove(id))) throw new Problem("not_found", `there is no key ${id}`);
      return undefined;
    },
  } satisfies Partial<Handlers>;
}
