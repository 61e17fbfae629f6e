/** Response to a request whose work is done later. */
import type { FastifyReply } from "fastify";
import { RESPOND_ASYNC } from "../http/prefer.ts";

/** Sends 202: the work is done later, and `location` reports its outcome. */
export function accepted(reply: FastifyReply, location: string, preferred: boolean): void {
  reply.code(202).header("location", location);
  if (preferred) reply.header("preference-applied", RESPOND_ASYNC);
}
