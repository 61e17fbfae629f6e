/** Input schemas and scopes of the tools, from the contract of the API. */
import { type OpenApi, operationsOf, type Parameter, resolve, scopesOf } from "../../http/document.ts";

type Schema = Record<string, unknown>;

export interface InputSchema extends Schema {
  type: "object";
  properties: Record<string, object>;
  required: string[];
}

/** The fields of a tool's input. */
export interface InputFields {
  properties: Record<string, object>;
  required?: string[];
}

const REFERENCE = /"#\/components\/schemas\/(\w+)"/g;

export class Contract {
  constructor(private readonly openapi: OpenApi) {}

  /** The scopes of which a key needs one. */
  scopesOf(operationId: string): string[] {
    return scopesOf(this.#find(operationId).operation);
  }

  /** Parameters of an operation by name; required if the operation requires them. */
  parameters(operationId: string, ...names: string[]): InputFields {
    const { operation, shared } = this.#find(operationId);
    const all = [...shared, ...(operation.parameters ?? [])].map((one) => resolve<Parameter>(this.openapi, one));
    const chosen = names.map((name) => all.find((one) => one.name === name)!);
    return {
      properties: Object.fromEntries(
        chosen.map(({ name, schema, ...parameter }) => {
          const { description } = parameter as { description?: string };
          return [name, { ...schema, ...(description !== undefined && { description }) }];
        }),
      ),
      required: chosen.filter(({ required }) => required).map(({ name }) => name),
    };
  }

  /** The fields of an object schema. Only its properties: some models take no other keyword at the top. */
  fields(schema: string, { without = [] }: { without?: string[] } = {}): InputFields {
    const { properties, required = [] } = this.openapi.components.schemas![schema] as unknown as InputFields;
    return {
      properties: Object.fromEntries(Object.entries(properties).filter(([name]) => !without.includes(name))),
      required,
    };
  }

  /** One schema with all fields, and the definitions that they refer to. */
  input(...parts: InputFields[]): InputSchema {
    const schema: Schema = {
      type: "object",
      properties: Object.assign({}, ...parts.map(({ properties }) => properties)),
      required: parts.flatMap(({ required = [] }) => required),
      additionalProperties: false,
    };
    const definitions: Schema = {};
    const pending = [JSON.stringify(schema)];
    for (let text = pending.pop(); text !== undefined; text = pending.pop()) {
      for (const [, name] of text.matchAll(REFERENCE)) {
        if (Object.hasOwn(definitions, name!)) continue;
        definitions[name!] = this.openapi.components.schemas![name!];
        pending.push(JSON.stringify(definitions[name!]));
      }
    }
    const whole = Object.keys(definitions).length > 0 ? { ...schema, $defs: definitions } : schema;
    return JSON.parse(JSON.stringify(whole).replace(REFERENCE, '"#/$$defs/$1"')) as InputSchema;
  }

  #find(operationId: string) {
    const found = operationsOf(this.openapi).find(({ operation }) => operation.operationId === operationId)!;
    return { operation: found.operation, shared: this.openapi.paths[found.path]!.parameters ?? [] };
  }
}
