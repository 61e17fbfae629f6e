/** The proxy of the fault suite: each fault has its effect, and held data passes in order. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { startProxy } from "./proxy.ts";

/** Sets up an echo server behind a proxy, and a client. */
async function setUp(t: TestContext) {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy = await startProxy((server.address() as AddressInfo).port);
  const sockets: Socket[] = [];
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await proxy.close();
    server.close();
  });
  const client = async () => {
    const socket = connect(proxy.port, "127.0.0.1").setEncoding("utf8");
    sockets.push(socket);
    await once(socket, "connect");
    return socket;
  };
  return { proxy, client };
}

/** Resolves with the received text once it is as long as `text`. */
async function reads(socket: Socket, text: string): Promise<string> {
  let got = "";
  while (got.length < text.length) got += (await once(socket, "data"))[0];
  return got;
}

describe("the proxy of the fault suite", () => {
  it("passes data both ways, and the end of a connection", async (t) => {
    const { client } = await setUp(t);
    const socket = await client();
    const large = "x".repeat(3_000_000);
    const got = reads(socket, large);
    socket.end(large);
    assert.equal(await got, large);
    await once(socket, "end");
  });

  it("cuts existing and new connections until it passes data again", async (t) => {
    const { proxy, client } = await setUp(t);
    const socket = await client();
    const broken = once(socket, "error");
    proxy.cut();
    assert.equal((await broken)[0].code, "ECONNRESET");
    const refused = client().then((late) => once(late, "data"));
    await assert.rejects(refused, { code: "ECONNRESET" });
    proxy.pass();
    const again = await client();
    again.write("back");
    assert.equal(await reads(again, "back"), "back");
  });

  it("resets a connection whose end it has just passed on", { timeout: 10_000 }, async (t) => {
    const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = await startProxy((server.address() as AddressInfo).port);
    t.after(() => proxy.close().then(() => server.close()));
    const accepted = once(server, "connection");
    const socket = connect({ port: proxy.port, host: "127.0.0.1" }).on("error", () => {});
    const [peer] = (await accepted) as [Socket];
    const broken = new Promise((resolve) => {
      peer
        .on("error", () => {})
        .on("close", resolve)
        .resume();
    });
    // A closed connection answers further data with a reset, which the next write meets.
    peer.on("end", () => {
      const writing = setInterval(() => peer.write("too late"), 10);
      peer.on("close", () => clearInterval(writing));
    });
    proxy.delay(60_000);
    socket.end();
    await once(socket, "finish");
    const { client: other } = await setUp(t);
    const clock = await other();
    for (let i = 0; i < 20; i++) {
      clock.write("tick");
      await reads(clock, "tick");
    }
    proxy.pass();
    proxy.reset();
    await broken;
  });

  it("resets existing connections and accepts new ones at once", async (t) => {
    const { proxy, client } = await setUp(t);
    const socket = await client();
    socket.write("one");
    await reads(socket, "one");
    const broken = once(socket, "error");
    proxy.reset();
    assert.equal((await broken)[0].code, "ECONNRESET");
    const again = await client();
    again.write("two");
    assert.equal(await reads(again, "two"), "two");
  });

  it("stalls old and new connections, and then passes all data in order", async (t) => {
    const { proxy, client } = await setUp(t);
    const old = await client();
    old.write("0");
    await reads(old, "0");
    proxy.stall();
    const late = await client();
    let passed = false;
    for (const socket of [old, late]) socket.once("data", () => (passed = true));
    for (const text of ["1", "2", "3"]) for (const socket of [old, late]) socket.write(text);
    // Round trips through another proxy prove that this one had time to let data through.
    const { client: other } = await setUp(t);
    const clock = await other();
    for (let i = 0; i < 20; i++) {
      clock.write("tick");
      await reads(clock, "tick");
    }
    assert.equal(passed, false);
    const got = Promise.all([reads(old, "123"), reads(late, "123")]);
    proxy.pass();
    assert.deepEqual(await got, ["123", "123"]);
  });

  it("delays data, keeps the order when the delay ends, and loses no end of a connection", async (t) => {
    const { proxy, client } = await setUp(t);
    const socket = await client();
    socket.write("0");
    await reads(socket, "0");
    proxy.delay(100);
    const start = performance.now();
    socket.write("1");
    assert.equal(await reads(socket, "1"), "1");
    const took = performance.now() - start;
    assert.ok(took >= 195, `there and back took ${took} ms`);
    proxy.delay(60_000);
    const got = reads(socket, "23");
    socket.write("2");
    socket.end("3");
    await new Promise(setImmediate);
    proxy.pass();
    assert.equal(await got, "23");
    await once(socket, "end");
  });
});
