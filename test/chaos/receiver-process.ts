/**
 * The webhook receiver as a process that can be killed: it writes each call to a file before it responds. File content
 * survives the process, so no answered call is lost.
 *
 * receiver-process.ts <port> <file> <milliseconds until the response>
 */
import { openSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

const [port, file, answerMs] = process.argv.slice(2) as [string, string, string];
const record = openSync(file, "a");

createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    return; // the connection broke during the request
  }
  const { data, time } = JSON.parse(Buffer.concat(chunks).toString());
  const call = { payload: data, at: Date.now(), id: request.headers["webhook-id"], receivedAt: Date.parse(time) };
  writeSync(record, `${JSON.stringify(call)}\n`);
  // A realistic response time, so that kills hit calls in flight.
  await delay(Math.random() * 2 * Number(answerMs));
  response.writeHead(204).end();
}).listen(Number(port), "127.0.0.1", () => process.stdout.write("listening\n"));
