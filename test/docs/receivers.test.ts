/** The receivers of docs/receivers.md, as they stand there: called by hand-made requests and by a real bridge. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Message, newId } from "../../src/message.ts";
import { batchJson, buildRequest, eventJson } from "../../src/uplink/request/cloudevent.ts";
import { newSecret, parseSecret, sign, signAll } from "../../src/uplink/request/signature.ts";
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { freePort } from "../support/ports.ts";
import { startProcess, type TestProcess } from "../support/processes.ts";
import { requireOrSkip } from "../support/requirements.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGE = readFileSync(join(ROOT, "docs/receivers.md"), "utf8");

interface Language {
  name: string;
  file: string;
  command: string[];
  /** The head of `handle`, and what is put behind it for an event that cannot be handled. */
  handle: [head: string, refusal: string];
  /** Prints the payload as it is, and not as JSON or as the number of its bytes. */
  printsText?: boolean;
  options: { skip: string | false };
}

const LANGUAGES: Language[] = [
  {
    name: "the library",
    file: "receiver_library.mjs",
    command: [process.execPath, "--import", import.meta.resolve("tsx"), "receiver_library.mjs"],
    handle: ["  async onMessage(event) {\n", '    if (event.topic === "d/broken") throw new Error("broken");\n'],
    printsText: true,
    options: { skip: false },
  },
  {
    name: "Node",
    file: "receiver.mjs",
    command: [process.execPath, "receiver.mjs"],
    handle: ["async function handle(event) {\n", '  if (event.subject === "d/broken") throw new Error("broken");\n'],
    options: { skip: false },
  },
  {
    name: "Python",
    file: "receiver.py",
    // -I: without any package but its own. Debian's Python first: others may lie before it in PATH.
    command: [existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3", "-I", "receiver.py"],
    handle: [
      '"""Your code: save the event and return. Raise, and it is delivered again."""\n',
      '    if event.get("subject") == "d/broken":\n        raise RuntimeError("broken")\n',
    ],
    options: requireOrSkip("python3"),
  },
  {
    name: "Go",
    file: "receiver.go",
    command: ["./receiver"],
    handle: [
      "func handle(event Event) error {\n",
      '\tif event.Subject == "d/broken" {\n\t\treturn errors.New("broken")\n\t}\n',
    ],
    // Not asked of CI: the compiler is large, and no other test needs it.
    options: requireOrSkip("go"),
  },
];

function message(topic: string, payload: string | Buffer, contentType?: string): Message {
  const bytes = Buffer.from(payload);
  return { id: newId("msg"), topic, payload: bytes, qos: 1, retain: false, receivedAt: Date.now(), contentType };
}

/** One for all of them, started when the first one needs it. */
let bridge: Promise<TestBridge> | undefined;
after(async () => {
  await (await bridge)?.stop();
});

for (const { name, file, command, handle, printsText, options } of LANGUAGES) {
  describe(`docs/receivers.md: ${name}`, options, () => {
    const secret = newSecret();
    const key = parseSecret(secret);
    let receiver: TestProcess;
    let url: string;

    before(async () => {
      const folder = temporaryDirectory("receiver");
      if (name === "the library") installLibrary(folder);
      else symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
      writeFileSync(join(folder, file), codeOf(file).replace(...insert(handle)));
      if (name === "Go") {
        const build = startProcess("go", ["build", "-o", "receiver", file], { cwd: folder });
        assert.equal((await build.exited).code, 0, build.output);
      }
      const port = String(await freePort());
      url = `http://127.0.0.1:${port}/`;
      receiver = startProcess(command[0]!, command.slice(1), {
        cwd: folder,
        env: { WEBHOOK_SECRET: secret, PORT: port },
      });
      await receiver.waitFor(/waiting for webhooks/);
    });
    after(() => receiver.kill());

    /** The output of `handle` for one event, subject and data; it is complete, since a later event was printed too. */
    async function handled(id: string): Promise<unknown[]> {
      const probe = message("d/probe", "1");
      await deliver(probe, "structured");
      await receiver.waitFor(new RegExp(`event: ${probe.id}`));
      return [...receiver.output.matchAll(/^event: (\S+) (\S+) (.*)$/gm)]
        .filter((match) => match[1] === id)
        .map(([, , subject, data]) => [subject, printsText || / bytes$/.test(data!) ? data : JSON.parse(data!)]);
    }
    const printed = (payload: string | Buffer, data: unknown) => (printsText ? String(payload) : data);

    async function post(headers: Record<string, string>, body: Buffer) {
      const response = await fetch(url, { method: "POST", headers, body });
      const text = await response.text();
      return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
    }

    function request(of: Message, mode: "structured" | "binary", now = Date.now()) {
      const { headers, body } = buildRequest(of, { mode, source: "/test", attempt: 1, now });
      headers["webhook-signature"] = sign(key, of.id, Math.floor(now / 1_000), body);
      return { headers, body };
    }
    const deliver = (of: Message, mode: "structured" | "binary") => {
      const { headers, body } = request(of, mode);
      return post(headers, body);
    };

    function deliverBatch(messages: Message[]) {
      const [id, seconds, body] = [
        `batch_${randomUUID()}`,
        Math.floor(Date.now() / 1_000),
        batchJson(messages.map((message) => eventJson(message, { source: "/test" }))),
      ];
      const signature = sign(key, id, seconds, body);
      const type = "application/cloudevents-batch+json";
      const signed = { "webhook-id": id, "webhook-timestamp": String(seconds), "webhook-signature": signature };
      return post({ ...signed, "content-type": type }, body);
    }

    const PAYLOADS: [what: string, payload: string | Buffer, data: unknown, contentType?: string][] = [
      ["JSON", '{"temperature":21.5}', { temperature: 21.5 }],
      ["text", "grüße 👋", "grüße 👋"],
      ["bytes", Buffer.from([0, 1, 255, 254]), "4 bytes"],
    ];
    for (const mode of ["structured", "binary"] as const) {
      for (const [what, payload, data] of PAYLOADS) {
        it(`${mode}: ${what}`, async () => {
          const sent = message("geräte/é%/💡", payload);
          assertTaken(await deliver(sent, mode));
          assert.deepEqual(await handled(sent.id), [["geräte/é%/💡", printed(payload, data)]]);
        });
      }
    }

    it("binary: what is called JSON and is none", async () => {
      const sent = message("d/1", "{", "application/json");
      assertTaken(await deliver(sent, "binary"));
      assert.deepEqual(await handled(sent.id), [["d/1", printed("{", "1 bytes")]]);
    });

    it("handles an event once, and again what could not be handled", async () => {
      for (const mode of ["structured", "binary"] as const) {
        const sent = message("d/1", "1");
        for (let i = 0; i < 3; i++) assertTaken(await deliver(sent, mode));
        await deliverBatch([sent]);
        assert.equal((await handled(sent.id)).length, 1);
        const broken = message("d/broken", "1");
        for (let i = 0; i < 2; i++) assert.equal((await deliver(broken, mode)).status, 500);
      }
    });

    it("answers a batch with the ids that failed, and takes them alone the next time", async () => {
      const [good, broken, bytes] = [message("d/1", "1"), message("d/broken", "2"), message("d/2", Buffer.from([255]))];
      for (let i = 0; i < 2; i++) {
        const answer = await deliverBatch([good, broken, bytes]);
        assert.deepEqual([answer.status, answer.body], [200, { failed: [broken.id] }]);
      }
      assert.deepEqual(await handled(good.id), [["d/1", printed("1", 1)]]);
      assert.deepEqual(await handled(bytes.id), [["d/2", printed(bytes.payload, "1 bytes")]]);
      assert.deepEqual((await deliverBatch([good])).body, { failed: [] });
    });

    it("accepts the old and the new secret's signatures side by side", async () => {
      const sent = message("d/1", "1");
      const { headers, body } = request(sent, "structured");
      const seconds = Number(headers["webhook-timestamp"]);
      headers["webhook-signature"] = signAll([parseSecret(newSecret()), key], sent.id, seconds, body);
      assertTaken(await post(headers, body));
    });

    it("refuses what is forged, too old, too new or incomplete, and handles none of it", async () => {
      const FIVE_MINUTES = 5 * 60_000;
      for (const payload of ["1", Buffer.from([255])]) {
        const sent = message("d/1", payload);
        const good = request(sent, "binary");
        const other = sign(parseSecret(newSecret()), sent.id, Math.floor(Date.now() / 1_000), good.body);
        const old = request(sent, "binary", Date.now() - FIVE_MINUTES - 5_000);
        const early = request(sent, "binary", Date.now() + FIVE_MINUTES + 5_000);
        const forged: [Record<string, string>, Buffer][] = [
          [good.headers, Buffer.concat([good.body, Buffer.from("x")])],
          [{ ...good.headers, "webhook-signature": other }, good.body],
          [{ ...good.headers, "webhook-signature": "v1," }, good.body],
          [{ ...good.headers, "webhook-id": newId("msg") }, good.body],
          [{ ...good.headers, "webhook-timestamp": String(Number(good.headers["webhook-timestamp"]) - 1) }, good.body],
          [old.headers, old.body],
          [early.headers, early.body],
        ];
        for (const missing of ["webhook-id", "webhook-timestamp", "webhook-signature"]) {
          const { [missing]: _, ...rest } = good.headers;
          forged.push([rest, good.body]);
        }
        for (const [i, [headers, body]] of forged.entries()) {
          assert.equal((await post(headers, body)).status, 401, `forgery ${i}`);
        }
        assert.deepEqual(await handled(sent.id), []);
      }
    });

    it("refuses what is signed and no event", async () => {
      const { headers } = request(message("d/1", "1"), "structured");
      const seconds = Number(headers["webhook-timestamp"]);
      const stranger = '{"specversion":"1.0","id":"1","source":"/","type":"t"}';
      for (const text of ["", "{", "[]", "null", '{"specversion":"1.0"}', stranger]) {
        const body = Buffer.from(text);
        headers["webhook-signature"] = sign(key, headers["webhook-id"]!, seconds, body);
        assert.equal((await post(headers, body)).status, 400, text);
      }
    });

    for (const mode of ["structured", "binary"]) {
      it(`${mode}: takes what a bridge delivers, once`, async () => {
        bridge ??= startTestBridge();
        const { api, register } = await bridge;
        const { id } = await register({ url, secret, mode, topics: [`${mode}/#`] });
        for (const payload of [{ a: 1 }, "text"]) {
          const from = receiver.output.length;
          const published = await api("POST", "/v1/messages", { topic: `${mode}/x`, payload });
          assert.equal(published.status, 200, published.bytes.toString());
          const [, eventId] = await receiver.waitFor(/event: (\S+)/, { from });
          const sent = typeof payload === "string" ? payload : JSON.stringify(payload);
          assert.deepEqual(await handled(eventId!), [[`${mode}/x`, printed(sent, payload)]]);
        }
        await api("DELETE", `/v1/webhooks/${id}`);
      });
    }
  });
}

/** Their libraries cannot be had wherever the tests run: at least they are programs. */
describe("docs/receivers.md: with the published libraries", () => {
  for (const [file, command, program] of [
    ["receiver_libraries.py", ["python3", "-I", "-m", "py_compile"], "python3"],
    ["receiver_libraries.go", ["gofmt", "-e", "-d"], "go"],
  ] as const) {
    it(`${file} is written correctly`, requireOrSkip(program), async () => {
      const folder = temporaryDirectory("receiver");
      writeFileSync(join(folder, file), codeOf(file));
      const check = startProcess(command[0], [...command.slice(1), file], { cwd: folder });
      assert.deepEqual([await check.exited, check.output], [{ code: 0, signal: null }, ""]);
    });
  }
});

/** 204, or 200 with a body. */
function assertTaken({ status, body }: { status: number; body: unknown }): void {
  assert.equal(status, body === undefined ? 204 : 200);
}

/** The library from its sources, under the name of the package. */
function installLibrary(folder: string): void {
  const place = join(folder, "node_modules/causeway-mqtt");
  mkdirSync(place, { recursive: true });
  const source = new URL("../../src/receiver/index.ts", import.meta.url);
  writeFileSync(join(place, "package.json"), '{ "type": "module", "exports": { "./receiver": "./receiver.mjs" } }');
  writeFileSync(join(place, "receiver.mjs"), `export * from "${source}";\n`);
}

function codeOf(file: string): string {
  const [, code] = new RegExp(`<!-- file: ${file} -->\n\`\`\`\\w+\n(.*?)^\`\`\`$`, "ms").exec(PAGE) ?? [];
  assert.ok(code, `docs/receivers.md has no ${file}`);
  return code;
}

/** For `String.replace`, once it is sure that there is something to replace. */
function insert([head, refusal]: [string, string]): [string, () => string] {
  assert.ok(PAGE.includes(head), `docs/receivers.md has no "${head}"`);
  return [head, () => head + refusal];
}
