/** A small server that answers with scripted responses and records the requests. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { ProblemCode } from "../../src/client/types.ts";

export interface RecordedRequest {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
  at: number;
}

/** Answers one request. */
export type Script = (response: ServerResponse, request: RecordedRequest) => void;

export interface ScriptedServer {
  url: string;
  requests: RecordedRequest[];
  server: Server;
}

/** Starts a server that takes one script for each request; the last one answers all further requests. */
export async function startScripted(t: TestContext, ...scripts: Script[]): Promise<ScriptedServer> {
  const requests: RecordedRequest[] = [];
  const server = createServer(async (incoming, response) => {
    const { method = "", url = "", headers } = incoming;
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const request = { method, path: url, headers, body: Buffer.concat(chunks).toString(), at: Date.now() };
    requests.push(request);
    scripts[Math.min(requests.length, scripts.length) - 1]!(response, request);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, server };
}

export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Script {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
  };
}

export function problem(status: number, code: ProblemCode, headers: Record<string, string> = {}): Script {
  const body = { type: `urn:causeway:problem:${code}`, title: code, status, detail: `it is ${code}`, code };
  return json(body, status, { "content-type": "application/problem+json", ...headers });
}

/** Closes the connection without a response. */
export const hangUp: Script = (response) => void response.destroy();

/** Never answers. */
export const silent: Script = () => undefined;
