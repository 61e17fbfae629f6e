/** Handlers for API keys. */
import type { Handlers } from "../http/contract/index.ts";
import type { Keys } from "../keys/keys.ts";

export interface KeyPorts {
  keys: Pick<Keys, "create" | "list" | "remove">;
}

export function keyHandlers({ keys }: KeyPorts): Pick<Handlers, "createKey" | "listKeys" | "deleteKey"> {
  return {
    createKey: async (request, reply) => {
      const key = await keys.create(request.body);
      reply.header("location", `/v1/keys/${key.id}`);
      return key;
    },
    listKeys: (request) => keys.list(request.query),
    deleteKey: async (request) => {
      await keys.remove(request.params.id);
      return undefined;
    },
  };
}
