/** `causeway mcp` as a client starts it, with a real bridge. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import type { Tool } from "@modelcontextprotocol/sdk/types.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/ports.ts";
import { CLI } from "../../support/program.ts";
import { embedded, scenario } from "../../support/scenario.ts";
import { API_KEY, cliEnv, NOWHERE, runCli } from "../support.ts";

const OF_VIEW = [
  ...["status", "list_webhooks", "get_webhook", "list_deliveries", "get_delivery", "get_message", "metrics"],
  "webhook_metrics",
];
const READ = [
  ...OF_VIEW,
  ...["list_retained", "get_retained_message", "tail", "preview_webhook", "list_hooks", "list_keys"],
];
const WRITE = [
  ...["publish", "request_device", "create_webhook", "update_webhook", "pause_webhook", "resume_webhook"],
  ...["test_webhook", "retry_delivery", "replay_deliveries", "create_hook"],
];
const OF_PUBLISH = ["get_message", "list_hooks", "publish", "request_device", "create_hook"];

// biome-ignore lint/suspicious/noExplicitAny: results of many shapes
type Result = any;

class Assistant {
  readonly #client = new Client({ name: "test", version: "1" });
  readonly texts: string[] = [];

  static async start(t: TestContext, target: { url: string; key?: string }, ...options: string[]) {
    const assistant = new Assistant();
    const env = { ...cliEnv(target), ...(target.key !== undefined && { CAUSEWAY_API_KEY: target.key }) };
    const defined = Object.entries({ ...process.env, ...env }).filter((entry): entry is [string, string] => !!entry[1]);
    const transport = new StdioClientTransport({
      ...{ command: process.execPath, args: [...CLI, "mcp", ...options], cwd: NOWHERE, stderr: "pipe" },
      env: Object.fromEntries(defined),
    });
    t.after(() => assistant.#client.close());
    await assistant.#client.connect(transport);
    return assistant;
  }

  async tools(): Promise<Tool[]> {
    return (await this.#client.listTools()).tools;
  }

  async names(): Promise<string[]> {
    return (await this.tools()).map(({ name }) => name);
  }

  /** Returns the result of a tool that succeeds. */
  async call(name: string, input: object = {}): Promise<Result> {
    const { isError, content, structuredContent } = await this.#call(name, input);
    assert.ok(!isError, `${name}: ${JSON.stringify(content)}`);
    return structuredContent.result;
  }

  /** Returns the error of a tool that fails. */
  async refusal(name: string, input: object = {}): Promise<Result> {
    const { isError, structuredContent } = await this.#call(name, input);
    assert.equal(isError, true, name);
    return structuredContent.error;
  }

  async #call(name: string, input: object): Promise<Result> {
    const result = await this.#client.callTool({ name, arguments: input as Record<string, unknown> });
    this.texts.push(JSON.stringify(result));
    return result;
  }
}

describe("causeway mcp", () => {
  const world = scenario(embedded);
  const target = (key?: string) => ({ url: world.bridge.url, ...(key !== undefined && { key }) });
  const keyWith = async (rights: object): Promise<string> =>
    (await world.bridge.api("POST", "/v1/keys", { name: "k", ...rights })).body.key;

  it("lists the tools that the key may use, and those with effects only with --allow-write", async (t) => {
    const viewer = await keyWith({ scopes: ["view"], read: ["#"] });
    const publisher = await keyWith({ scopes: ["publish"], publish: ["#"] });
    const rows: [key: string, options: string[], names: string[]][] = [
      [API_KEY, [], READ],
      [API_KEY, ["--allow-write"], [...READ, ...WRITE]],
      [viewer, ["--allow-write"], OF_VIEW],
      [publisher, [], ["get_message", "list_hooks"]],
      [publisher, ["--allow-write"], OF_PUBLISH],
    ];
    for (const [key, options, names] of rows) {
      const assistant = await Assistant.start(t, target(key), ...options);
      assert.deepEqual((await assistant.names()).sort(), [...names].sort(), options.join());
    }
  });

  it("describes the effects of its tools, and their inputs by schemas that stand alone", async (t) => {
    const tools = await (await Assistant.start(t, target(), "--allow-write")).tools();
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    for (const { name, description, inputSchema, annotations } of tools) {
      ajv.compile(inputSchema);
      assert.deepEqual(
        Object.keys(inputSchema).filter((keyword) => /^(oneOf|anyOf|allOf)$/.test(keyword)),
        [],
        name,
      );
      assert.ok(description!.length > 20, name);
      assert.equal(annotations!.readOnlyHint, READ.includes(name), name);
      const isAdding = ["create_webhook", "create_hook", "test_webhook"].includes(name);
      assert.equal(annotations!.destructiveHint, WRITE.includes(name) && !isAdding, name);
    }
    for (const name of ["tail", "get_message", "get_delivery", "get_retained_message", "request_device"])
      assert.match(tools.find((one) => one.name === name)!.description!, /never as instructions/, name);
  });

  it("has tools that all work, and no secret in any result", async (t) => {
    const { receiver, device } = world;
    const assistant = await Assistant.start(t, target(), "--allow-write");
    const called = new Set<string>();
    const call = (name: string, input: object = {}) => {
      called.add(name);
      return assistant.call(name, input);
    };
    assert.equal((await call("status")).broker.connected, true);
    const secret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
    const input = { url: receiver.url, topics: ["mcp/#"], name: "mcp", secret, headers: { "X-Key": "needle-4711" } };
    const { id, ...created } = await call("create_webhook", input);
    assert.equal(created.secret, undefined);
    assert.equal((await call("list_webhooks", { name: "mcp" })).items[0].id, id);

    const published = await call("publish", { topic: "mcp/1", payload: { a: 1 }, retain: true });
    assert.equal(published.outcome, "acknowledged");
    assert.match((await call("publish", { topic: "mcp/later", durable: true })).outcome, /queued/);
    const delivered = await eventually(
      () => call("list_deliveries", { webhookId: id, topic: "mcp/1", status: "succeeded" }),
      ({ items }) => items.length === 1,
    );
    const { messageId } = delivered.items[0];
    assert.equal((await call("get_delivery", { webhookId: id, messageId })).message.payload, '{"a":1}');
    assert.equal((await call("get_message", { id: messageId })).deliveries[0].webhookId, id);
    await call("retry_delivery", { webhookId: id, messageId });
    assert.ok((await call("replay_deliveries", { id, status: "succeeded" })).count >= 1);
    assert.match((await call("replay_deliveries", { id, status: "failed", dryRun: false })).id, /./);
    assert.match((await call("test_webhook", { id })).messageId, /^msg_/);
    assert.equal((await call("pause_webhook", { id })).state, "paused");
    assert.equal((await call("update_webhook", { id, changes: { name: "changed" } })).name, "changed");
    assert.equal((await call("resume_webhook", { id })).state, "active");
    assert.equal((await call("get_webhook", { id })).headers["X-Key"], "********");
    assert.ok((await call("metrics", { range: "1h" })).points.length > 0);
    assert.ok((await call("webhook_metrics", { id })).points.length > 0);

    assert.deepEqual(
      (await call("list_retained", { filter: "mcp/#" })).items.map(({ topic }: Result) => topic),
      ["mcp/1"],
    );
    assert.equal((await call("get_retained_message", { topic: "mcp/1" })).payload, '{"a":1}');
    const preview = await call("preview_webhook", {
      webhook: { url: receiver.url, topics: ["a"], filter: "data.a > 1" },
      messages: [{ topic: "a", payload: { a: 1 } }],
    });
    assert.equal(preview.results.length, 1);

    await device.subscribeAsync("mcp-device/rpc");
    const responseTopic = "mcp-device/rpc/response";
    device.on("message", (topic, payload) => {
      if (topic === "mcp-device/rpc") device.publish(responseTopic, `re: ${payload}`);
    });
    const answered = await call("request_device", { topic: "mcp-device/rpc", payload: "uptime", responseTopic });
    assert.equal(answered.response.payload, "re: uptime");
    const watched = call("tail", { topics: ["seen/#"], seconds: 30, messages: 2 });
    const isOver = watched.then(() => true);
    for (let n = 0; !(await Promise.race([isOver, new Promise((resolve) => setTimeout(resolve, 50))])); n++)
      await device.publishAsync("seen/1", String(n));
    assert.deepEqual(
      (await watched).items.map(({ subject }: Result) => subject),
      ["seen/1", "seen/1"],
    );
    assert.deepEqual((await call("tail", { topics: ["silent"], seconds: 0.1 })).items, []);

    const verify = { type: "gitlab", secret: "needle-4711" };
    const hook = await call("create_hook", { name: "h", topic: "hooks/x", verify });
    assert.deepEqual([hook.path, hook.verify], [undefined, { type: "gitlab" }]);
    assert.equal((await call("list_hooks")).items[0].id, hook.id);
    assert.equal((await call("list_keys", { limit: 250 })).nextCursor, null);

    assert.deepEqual([...called].sort(), [...READ, ...WRITE].sort());
    const { body } = await world.bridge.api("GET", `/v1/hooks/${hook.id}`);
    for (const needle of [API_KEY, secret, "needle-4711", body.path, "cw_", "whsec_"])
      assert.ok(!assistant.texts.some((text) => text.includes(needle)), needle);
  });

  it("names the code and the field of what is refused", async (t) => {
    const assistant = await Assistant.start(t, target(), "--allow-write");
    const rows: [name: string, input: object, code: string, path: string | undefined][] = [
      ["get_webhook", {}, "invalid_request", "id"],
      ["get_webhook", { id: "../keys" }, "invalid_request", "id"],
      ["get_webhook", { id: "wh_none" }, "not_found", undefined],
      ["list_webhooks", { limit: 0 }, "invalid_request", "limit"],
      ["list_webhooks", { after: "x" }, "invalid_request", "query.after"],
      ["list_keys", { filter: "x" }, "invalid_request", "filter"],
      ["tail", { topics: ["a"], seconds: 3_600 }, "invalid_request", "seconds"],
      ["tail", { topics: ["a/#/b"] }, "invalid_topic_filter", "query.topic[0]"],
      ["publish", { topic: "a/+" }, "invalid_topic", "topic"],
      ["create_webhook", { topics: ["a"], url: "http://127.0.0.1:1", concurency: 1 }, "invalid_request", "concurency"],
      ["update_webhook", { id: "wh_none", changes: { qos: 7 } }, "invalid_request", "changes.qos"],
      ["get_retained_message", { topic: "none" }, "no_retained_message", undefined],
      ["request_device", { topic: "nobody", timeoutSeconds: 0.1 }, "request_timeout", undefined],
    ];
    for (const [name, input, code, path] of rows) {
      const error = await assistant.refusal(name, input);
      assert.deepEqual([error.code, error.errors?.[0].path], [code, path], `${name} ${JSON.stringify(input)}`);
    }
    await assert.rejects(assistant.call("none"), /there is no tool none/);
  });

  it("refuses tools with effects without --allow-write, and those that the key may not use", async (t) => {
    const assistant = await Assistant.start(t, target());
    for (const name of WRITE) await assert.rejects(assistant.call(name), /needs causeway mcp --allow-write/, name);
    const viewer = await Assistant.start(t, target(await keyWith({ scopes: ["view"], read: ["#"] })));
    assert.equal((await viewer.refusal("list_keys")).code, "insufficient_scope");
    const unknown = await Assistant.start(t, target("cw_unknown"));
    assert.equal((await unknown.refusal("status")).code, "unauthorized");
  });

  it("shows a key with filters its part only", async (t) => {
    const { bridge, receiver } = world;
    const [own, other] = ["site-1/#", "site-2/#"].map((topic) => ({ url: receiver.url, topics: [topic] }));
    const { id } = await bridge.register(own!);
    const { id: foreign } = await bridge.register(other!);
    const key = await keyWith({ scopes: ["view", "read"], read: ["site-1/#"] });
    const assistant = await Assistant.start(t, target(key));
    assert.deepEqual(
      (await assistant.call("list_webhooks")).items.map((webhook: Result) => webhook.id),
      [id],
    );
    assert.equal((await assistant.refusal("get_webhook", { id: foreign })).code, "not_found");
    assert.equal((await assistant.refusal("tail", { topics: ["site-2/#"] })).code, "forbidden_topic");
  });

  it("lists its tools while the bridge is away, and says so when one is called", async (t) => {
    const assistant = await Assistant.start(t, { url: `http://127.0.0.1:${await freePort()}` });
    assert.deepEqual((await assistant.names()).sort(), [...READ].sort());
    assert.equal((await assistant.refusal("status")).code, "unreachable");
  });

  it("ends with its client, writes notes to standard error, and needs a key", async () => {
    const ended = await runCli(["mcp"], { env: cliEnv(world.bridge) });
    assert.deepEqual([ended.code, ended.stdout], [0, ""]);
    assert.match(ended.stderr, /^tools of http:.*, without write access\n$/);
    assert.equal((await runCli(["mcp"])).code, 5);
  });
});
