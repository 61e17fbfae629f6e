/** `causeway simulate` as a process, on a broker of its own. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { after, before, beforeEach, describe, it } from "node:test";
import { Aedes, type Client } from "aedes";
import { connectAsync, type IPublishPacket, type MqttClient } from "mqtt";
import { sparkplugToValue } from "../../src/formats/sparkplug/decode.ts";
import { SECTORS } from "../../src/simulate/sectors.ts";
import { startMosquitto } from "../support/mosquitto.ts";
import { freePort } from "../support/ports.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { cliEnv, runCli, spawnCli } from "./support.ts";

const PASSWORD = "a-password";

interface Line {
  client: string;
  direction: "sent" | "received";
  topic: string;
  retain: boolean;
  payload?: string;
  payloadBase64?: string;
}

const parse = (stdout: string): Line[] =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("causeway simulate", () => {
  let broker: Aedes;
  let url: string;
  let app: MqttClient;
  const clients = new Map<string, Client>();
  const server = createServer();

  before(async () => {
    broker = await Aedes.createBroker({
      authenticate: (_client, _username, password, done) => {
        const isRight = password === undefined || password.toString() === PASSWORD;
        done(isRight ? null : Object.assign(new Error("refused"), { returnCode: 4 }), isRight);
      },
    });
    broker.on("client", (client) => clients.set(client.id.replace(/-[0-9a-f]+$/, ""), client));
    server.on("connection", broker.handle).listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `mqtt://127.0.0.1:${(server.address() as { port: number }).port}`;
    app = await connectAsync(url, { clientId: "app" });
    await app.subscribeAsync("#", { qos: 1 });
  });
  after(async () => {
    await app.endAsync(true);
    await new Promise<void>((resolve) => broker.close(() => resolve()));
    server.close();
  });
  beforeEach(() => void app.removeAllListeners("message"));

  /** Resolves with the next message on the topic, which the test names before it happens. */
  function heard(topic: string): Promise<Buffer> {
    return new Promise((resolve) => {
      app.on("message", (each, payload) => {
        if (each === topic) resolve(payload);
      });
    });
  }

  /** Starts a simulation; resolves once its devices are connected. */
  async function start(...args: string[]) {
    const child = spawnCli(["simulate", ...args, "--broker", url], { env: cliEnv() });
    child.stdout.resume();
    await once(createInterface({ input: child.stderr }), "line");
    return {
      end: async (signal: NodeJS.Signals) => {
        child.kill(signal);
        return (await once(child, "close")) as [code: number | null, signal: string | null];
      },
    };
  }

  it("without a sector lists all of them, and names an unknown one", async () => {
    const { code, stdout } = await runCli(["simulate", "--json"]);
    assert.equal(code, 0);
    const names = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).name);
    assert.deepEqual(
      names,
      SECTORS.map(({ name }) => name),
    );
    const unknown = await runCli(["simulate", "finance"]);
    assert.deepEqual([unknown.code, /there is no sector finance/.test(unknown.stderr)], [2, true]);
  });

  it("ends after --count readings of each device, with the offline status last", async () => {
    const args = ["simulate", "telemetry", "--devices", "2", "--interval", "0.1", "--count", "2", "--seed", "s"];
    const runs = [];
    for (const _ of [1, 2]) {
      const { code, stdout } = await runCli([...args, "--topic-prefix", "site/a", "--broker", url, "--json"]);
      assert.equal(code, 0);
      runs.push(parse(stdout));
    }
    const readings = runs.map((lines) =>
      lines
        .filter(({ topic, client }) => topic === `site/a/${client}/telemetry`)
        .map(({ client, payload }) => ({ client, ...JSON.parse(payload!), time: undefined })),
    );
    assert.equal(readings[0]!.length, 4);
    assert.deepEqual(readings[1], readings[0]);
    assert.deepEqual(
      runs[0]!.slice(-2).map(({ payload, retain }) => [payload, retain]),
      [
        ["offline", true],
        ["offline", true],
      ],
    );
  });

  it("obeys commands, and answers them", async () => {
    const simulation = await start("telemetry", "--interval", "60");
    const response = heard("devices/pi-1/responses/7");
    await app.publishAsync("devices/pi-1/requests/7", '{"led":"on"}', { qos: 1 });
    assert.equal(JSON.parse((await response).toString()).led, "on");
    await simulation.end("SIGINT");
  });

  it("says goodbye at Ctrl-C, and leaves it to the broker at a kill", async () => {
    for (const [signal, exit] of [
      ["SIGINT", [0, null]],
      ["SIGKILL", [null, "SIGKILL"]],
    ] as const) {
      // The device announces itself after it has connected, which is all that `start` waits for.
      const online = heard("chat/users/ada/presence");
      const simulation = await start("chat", "--devices", "1", "--interval", "60");
      assert.equal((await online).toString(), "online");
      const presence = heard("chat/users/ada/presence");
      assert.deepEqual(await simulation.end(signal), exit);
      assert.equal((await presence).toString(), "offline");
    }
  });

  it("connects again after an outage, with births and the next will", async () => {
    const firstBirth = heard("spBv1.0/Field/NBIRTH/pad-1");
    const simulation = await start("oil-gas", "--devices", "1", "--interval", "60");
    await firstBirth;
    const [death, birth] = [heard("spBv1.0/Field/NDEATH/pad-1"), heard("spBv1.0/Field/NBIRTH/pad-1")];
    clients.get("pad-1")!.conn.destroy();
    const numbers = [await death, await birth].map((payload) => {
      const { metrics } = sparkplugToValue(payload) as { metrics: { name: string; value: bigint }[] };
      return metrics.find(({ name }) => name === "bdSeq")!.value;
    });
    assert.deepEqual(numbers, [0n, 1n]);
    await simulation.end("SIGINT");
  });

  for (const { name, topicPrefix } of SECTORS) {
    it(`runs ${name} and ends after --for`, async () => {
      const args = ["simulate", name, "--devices", "2", "--interval", "0.2", "--for", "0.5", "--json"];
      const { code, stdout, stderr } = await runCli([...args, "--broker", url]);
      assert.equal(code, 0, stderr);
      const lines = parse(stdout);
      assert.ok(new Set(lines.map(({ topic }) => topic)).size >= 2);
      if (topicPrefix) assert.ok(lines.every(({ topic }) => topic.startsWith(`${topicPrefix}/`)));
      for (const { payload, payloadBase64 } of lines)
        assert.ok((payload === undefined) !== (payloadBase64 === undefined));
    });
  }

  it("prints one readable line for each message", async () => {
    const { stdout, stderr } = await runCli(["simulate", "telemetry", "--count", "1", "--broker", url, "--seed", "s"]);
    assert.match(stdout.split("\n")[0]!, /^\d{4}-\d\d-\d\dT[\d:.]+Z\t->\tdevices\/pi-1\/status\tonline$/);
    assert.match(stderr, /^connected to 127\.0\.0\.1:\d+: --devices 1 --seed s\n$/);
  });

  it("takes the password from the environment, and the broker of the bridge here from its settings", async () => {
    const run = (env: Record<string, string>, ...args: string[]) =>
      runCli(["simulate", "telemetry", "--count", "1", "--json", ...args], { env: { ...cliEnv(), ...env } });
    const user = { CAUSEWAY_BROKER_USERNAME: "pi" };
    assert.equal((await run({ ...user, CAUSEWAY_BROKER_PASSWORD: PASSWORD }, "--broker", url)).code, 0);
    const port = new URL(url).port;
    assert.equal((await run({ BROKER_PORT: port, BROKER_USERNAME: "pi", BROKER_PASSWORD: PASSWORD })).code, 0);
    const refused = await run({ ...user, CAUSEWAY_BROKER_PASSWORD: "wrong", CAUSEWAY_BROKER_URL: url });
    assert.deepEqual([refused.code, JSON.parse(refused.stderr).code], [5, "broker_refused"]);
    // The password of the bridge here stays here: at another broker it would have been refused.
    assert.equal((await run({ BROKER_USERNAME: "pi", BROKER_PASSWORD: "wrong" }, "--broker", url)).code, 0);
  });

  it("ends with 4 when no broker is there, and with 2 for options out of range", async () => {
    const { code, stderr } = await runCli([
      "simulate",
      "telemetry",
      "--broker",
      `mqtt://127.0.0.1:${await freePort()}`,
    ]);
    assert.deepEqual([code, /^causeway: unreachable: the broker at 127\.0\.0\.1:\d+: /.test(stderr)], [4, true]);
    for (const wrong of [
      ["--devices", "1001"],
      ["--interval", "0.01"],
      ["--topic-prefix", "a/#"],
      ["--broker", "http://127.0.0.1"],
      ["--count", "0"],
    ]) {
      assert.equal((await runCli(["simulate", "telemetry", ...wrong])).code, 2, wrong.join(" "));
    }
  });
});

describe("causeway simulate --protocol 5", requireOrSkip("mosquitto"), () => {
  it("answers a request on its response topic, with the correlation data", async () => {
    const mosquitto = await startMosquitto();
    const app = await connectAsync(mosquitto.url, { protocolVersion: 5 });
    await app.subscribeAsync("answers/me");
    const args = ["simulate", "telemetry", "--protocol", "5", "--interval", "60", "--broker", mosquitto.url];
    const child = spawnCli(args, { env: cliEnv() });
    child.stdout.resume();
    await once(createInterface({ input: child.stderr }), "line");
    const correlationData = Buffer.from([0, 255]);
    const answer = new Promise<[topic: string, payload: Buffer, packet: IPublishPacket]>((resolve) => {
      app.once("message", (...message) => resolve(message));
    });
    const properties = { responseTopic: "answers/me", correlationData };
    await app.publishAsync("devices/pi-1/commands", "{}", { qos: 1, properties });
    const [topic, payload, packet] = await answer;
    assert.deepEqual([topic, JSON.parse(payload.toString()).ok], ["answers/me", true]);
    assert.deepEqual(packet.properties?.correlationData, correlationData);
    child.kill("SIGINT");
    await once(child, "close");
    await app.endAsync(true);
    await mosquitto.stop();
  });
});
