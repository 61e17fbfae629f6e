/** The contract as types: aliases over the generated file, and the shape of a handler for each operation. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { components, operations } from "./generated.ts";

/** `Schemas["Webhook"]` and so on: as answered, and as read after the defaults have been filled in. */
export type Schemas = components["schemas"];

export type OperationId = keyof operations;

/**
 * Query parameters that always have a value, because the contract gives them a default. The generated types cannot
 * tell; contract.test.ts proves this list.
 */
type Defaulted = "qos" | "retain" | "limit";

type Filled<Q> = Required<Pick<Q, Extract<keyof Q, Defaulted>>> & Omit<Q, Defaulted>;

type QueryOf<O> = O extends { parameters: { query?: infer Q } } ? Filled<NonNullable<Q>> : unknown;

type ParamsOf<O> = O extends { parameters: { path: infer P } } ? P : unknown;

/** JSON bodies are parsed and valid; any other body is the bytes as sent, an empty Buffer when there were none. */
type BodyOf<O> = O extends { requestBody: { content: { "application/json": infer B } } }
  ? B
  : O extends { requestBody?: { content: { "*/*": unknown } } }
    ? Buffer
    : undefined;

type JsonOf<R> = R extends { content: { "application/json": infer B } } ? B : never;

type SuccessOf<O> = O extends { responses: infer R } ? JsonOf<R[keyof R & (200 | 201 | 202)]> : never;

/** The JSON of the success answer, or, where that is not JSON, bytes, text or nothing. */
type ResponseOf<O> = [SuccessOf<O>] extends [never] ? Buffer | string | undefined : SuccessOf<O>;

export type OperationRequest<Id extends OperationId> = FastifyRequest<{
  Body: BodyOf<operations[Id]>;
  Querystring: QueryOf<operations[Id]>;
  Params: ParamsOf<operations[Id]>;
}>;

/** What a handler may give back: the answer, or the reply it has sent itself. */
export type OperationResponse<Id extends OperationId> = ResponseOf<operations[Id]> | FastifyReply;

/**
 * Serves one operation. The status is the contract's success status unless the handler sets another one; refusals are
 * thrown as `Problem`.
 */
export type Handler<Id extends OperationId> = (
  request: OperationRequest<Id>,
  reply: FastifyReply,
) => OperationResponse<Id> | Promise<OperationResponse<Id>>;

/** One handler for every operation of the contract. */
export type Handlers = { [Id in OperationId]: Handler<Id> };
