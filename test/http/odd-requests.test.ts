/** HTTP to which Node would respond by itself with an empty body gets a response of the API. */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { openSocket } from "../support/attack.ts";
import { type TestApp, testApp } from "./support.ts";

describe("odd requests", () => {
  let app: TestApp["app"];
  before(async () => {
    ({ app } = await testApp());
    await app.listen({ host: "127.0.0.1", port: 0 });
  });
  after(() => app.close());

  async function answerTo(text: string): Promise<string> {
    const { port } = app.server.address() as AddressInfo;
    const connection = openSocket(port);
    connection.socket.write(text);
    await connection.until("}");
    connection.socket.destroy();
    return connection.received;
  }

  it("HTTP/1.1 without Host is refused with a problem, on every path", async () => {
    for (const path of ["/healthz", "/v1/keys", "/nothing", "/v1/topics/%zz"]) {
      const answer = await answerTo(`GET ${path} HTTP/1.1\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 400 .*content-type: application\/problem\+json.*"path":"header\.host"/is, path);
    }
  });

  it("HTTP/1.0 needs no Host", async () => {
    assert.match(await answerTo("GET /v1/keys HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 401 .*"code":"unauthorized"/s);
  });

  it("an unknown expectation is ignored", async () => {
    const answer = await answerTo("GET /v1/keys HTTP/1.1\r\nHost: a\r\nExpect: nonsense\r\n\r\n");
    assert.match(answer, /^HTTP\/1\.1 401 .*"code":"unauthorized"/s);
  });

  it("Upgrade is ignored, and the connection ends with the response: Node would read no further request from it", async () => {
    const body = "a".repeat(10);
    const upgrade = "Connection: upgrade\r\nUpgrade: h2c\r\n";
    const answer = await answerTo(`GET /healthz HTTP/1.1\r\nHost: a\r\n${upgrade}Content-Length: 10\r\n\r\n${body}`);
    assert.match(answer, /^HTTP\/1\.1 200 .*\r\nconnection: close\r\n/is);
  });
});
