/** The contract as types: aliases for the generated file, and a handler type for each operation. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { components, operations } from "./generated.ts";

/** `Schemas["Webhook"]` and so on: types of responses, and of requests after the defaults have been filled in. */
export type Schemas = components["schemas"];

export type OperationId = keyof operations;

/**
 * Query parameters that always have a value, because the contract gives them a default. The generated types do not
 * express this; contract.test.ts verifies this list.
 */
type Defaulted = "qos" | "retain" | "limit" | "range";

type Filled<Q> = Required<Pick<Q, Extract<keyof Q, Defaulted>>> & Omit<Q, Defaulted>;

type QueryOf<O> = O extends { parameters: { query?: infer Q } } ? Filled<NonNullable<Q>> : unknown;

type ParamsOf<O> = O extends { parameters: { path: infer P } } ? P : unknown;

/** JSON bodies are parsed and validated; any other body is the raw bytes, an empty Buffer if there is none. */
type BodyOf<O> = O extends { requestBody: { content: { "application/json": infer B } } }
  ? B
  : O extends { requestBody?: { content: { "*/*": unknown } } }
    ? Buffer
    : undefined;

type JsonOf<R> = R extends { content: { "application/json": infer B } } ? B : never;

type SuccessOf<O> = O extends { responses: infer R } ? JsonOf<R[keyof R & (200 | 201 | 202)]> : never;

/** The JSON of the success response or, if that is not JSON, bytes, text or nothing. */
type ResponseOf<O> = [SuccessOf<O>] extends [never] ? Buffer | string | undefined : SuccessOf<O>;

export type OperationRequest<Id extends OperationId> = FastifyRequest<{
  Body: BodyOf<operations[Id]>;
  Querystring: QueryOf<operations[Id]>;
  Params: ParamsOf<operations[Id]>;
}>;

/** Return value of a handler: the response, or the reply if the handler has sent it itself. */
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
