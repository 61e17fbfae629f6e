/** The files of the presets, and their requests against the rules that the services publish. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { v7 as uuidv7 } from "uuid";
import { parse } from "yaml";
import { inputError, PRESETS, webhookOf } from "../../src/presets/index.ts";
import fc from "../support/property.ts";
import { readLines } from "./line-protocol.ts";
import { awkwardPayload, awkwardTopic, examplesOf, filledExample, messageOf, presetOf, requestOf } from "./messages.ts";
import { SERVICES } from "./services.ts";

const contract = parse(readFileSync("openapi/openapi.yaml", "utf8"));
const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema(contract, "contract");

describe("the files of presets", () => {
  it("are all listed, under their ids", () => {
    const files = readdirSync("src/presets").filter((name) => name.endsWith(".json"));
    assert.deepEqual(PRESETS.map(({ id }) => `${id}.json`).sort(), files.sort());
    assert.deepEqual(Object.keys(SERVICES).sort(), PRESETS.map(({ id }) => id).sort());
  });

  for (const preset of PRESETS) {
    it(`${preset.title}: its examples are accepted, and fill a valid webhook`, () => {
      for (const input of preset.inputs) {
        assert.equal(inputError(input, input.example), undefined, input.id);
        assert.equal(inputError(input, " \n"), input.default === undefined ? "is required" : undefined);
        if (input.default) assert.equal(inputError(input, input.default), undefined, input.id);
      }
      const webhook = { topics: ["a"], ...filledExample(preset) };
      assert.doesNotMatch(JSON.stringify(webhook), /\{\{/);
      const isValid = ajv.getSchema("contract#/components/schemas/WebhookInput")!;
      assert.ok(isValid(webhook), JSON.stringify(isValid.errors));
      assert.match(preset.docs, /^https:\/\//);
    });

    it(`${preset.title}: is the example of the API`, () => {
      const { examples } = contract.paths["/v1/webhooks"].post.requestBody.content["application/json"];
      const { summary, value } = examples[preset.id] ?? {};
      assert.equal(summary, preset.title);
      assert.deepEqual(value, { topics: ["devices/+/alarms"], ...filledExample(preset) });
    });
  }
});

it("docs/presets.md has every preset, with its inputs and the page of the service", () => {
  const rows = readFileSync("docs/presets.md", "utf8").split("\n");
  for (const { id, inputs, docs } of PRESETS) {
    const row = rows.find((line) => line.startsWith(`| \`${id}\` `)) ?? "";
    const named = (isOptional: boolean) =>
      inputs.filter((input) => (input.default !== undefined) === isOptional).map((input) => `\`${input.id}\``);
    const optional = named(true).length > 0 ? `, optional ${named(true).join(", ")}` : "";
    assert.ok(row.includes(`| ${named(false).join(", ")}${optional} `), `${id}: its inputs`);
    assert.ok(row.includes(`(${docs})`), `${id}: ${docs}`);
  }
});

describe("inputs", () => {
  const ntfy = presetOf("ntfy");

  it("stay visible while they are missing, and have defaults where they are optional", () => {
    const { url, transform, auth } = webhookOf(ntfy, { server: "https://ntfy.example.com/" });
    assert.equal(url, "https://ntfy.example.com/");
    assert.match(transform!, /"\{\{topic\}\}"/);
    assert.match(transform!, /\$number\("3"\)/);
    assert.equal(auth, undefined);
  });

  it("become credentials that the bridge does not show", () => {
    assert.deepEqual(webhookOf(ntfy, { token: "tk_1" }).auth, { type: "bearer", token: "tk_1" });
    assert.deepEqual(filledExample(presetOf("influxdb")).headers, { Authorization: "Token abc==" });
  });

  it("are named when they cannot be right", () => {
    const [server, , priority] = ntfy.inputs;
    assert.equal(inputError(server!, "nowhere"), "must look like https://ntfy.sh");
    assert.equal(inputError(server!, undefined), "is required");
    assert.equal(inputError(priority!, "6"), "must look like 4");
  });

  it("are text in expressions and URLs, whatever they contain", async () => {
    const chat = '@a", "text": "b\\';
    const request = await requestOf(webhookOf(presetOf("telegram"), { token: "1:a", chat }), messageOf("a", "b"));
    assert.equal(JSON.parse(request!.body.toString()).chat_id, chat);
    const influx = webhookOf(presetOf("influxdb"), {
      ...examplesOf(presetOf("influxdb")),
      org: "a&bucket=b",
      bucket: "$&",
    });
    const { searchParams } = new URL(influx.url);
    assert.deepEqual([searchParams.get("org"), searchParams.getAll("bucket")], ["a&bucket=b", ["$&"]]);
  });
});

describe("requests for awkward messages", () => {
  for (const preset of PRESETS) {
    it(`${preset.title} accepts them`, async () => {
      const webhook = filledExample(preset);
      await fc.assert(
        fc.asyncProperty(awkwardTopic, awkwardPayload, async (topic, payload) => {
          const request = await requestOf(webhook, messageOf(topic, payload));
          if (request) SERVICES[preset.id]!.check(request);
          else assert.match(preset.id, /^(?:influxdb|telegraf)$/);
        }),
        { numRuns: 150 },
      );
    });
  }
});

describe("the content of messages", () => {
  const bodyOf = async (id: string, topic: string, payload: string) =>
    JSON.parse((await requestOf(filledExample(presetOf(id)), messageOf(topic, payload)))!.body.toString());

  it("is the topic and the payload in chats, without mentions and markup", async () => {
    const payload = '{"a":"<b> & @everyone"}';
    const discord = await bodyOf("discord", "plant/7", payload);
    assert.deepEqual(discord, { content: `**plant/7**\n${payload}`, allowed_mentions: { parse: [] } });
    const slack = await bodyOf("slack", "plant/<7>", payload);
    assert.deepEqual(slack, { text: '*plant/&lt;7&gt;*\n{"a":"&lt;b&gt; &amp; @everyone"}' });
    const telegram = await bodyOf("telegram", "plant/7", "[5]");
    assert.deepEqual(telegram, { chat_id: "-1001234567890", text: "plant/7:\n[5]" });
    const ntfy = await bodyOf("ntfy", "plant/7", "on");
    assert.deepEqual(ntfy, { topic: "plant-7-alarms", title: "plant/7", message: "on", priority: 4 });
  });

  it("starts automations and workflows with the JSON of the device", async () => {
    for (const id of ["home-assistant", "home-assistant-events", "n8n"]) {
      for (const payload of ["[5]", "[]", '{"a":[1]}', "null", '"text"']) {
        const { topic, payload: sent } = await bodyOf(id, "plant/7", payload);
        assert.deepEqual([topic, sent], ["plant/7", JSON.parse(payload)]);
      }
    }
  });

  it("triggers and resolves the alert of its topic at PagerDuty", async () => {
    const action = async (payload: string) => (await bodyOf("pagerduty", "plant/7/alarm", payload)).event_action;
    for (const over of ["", "ok", "OFF", "false", '{"state":"Resolved"}', '{"status":"normal"}', '{"alarm":false}']) {
      assert.equal(await action(over), "resolve", over);
    }
    for (const on of ["hot", "true", "0", "null", "[]", '{"state":"alarm"}', '{"value":"ok"}', '{"alarm":true}']) {
      assert.equal(await action(on), "trigger", on);
    }
    const { dedup_key, payload } = await bodyOf("pagerduty", "plant/7/alarm", '{"severity":"critical","t":99}');
    assert.equal(dedup_key, "plant/7/alarm");
    assert.deepEqual([payload.source, payload.severity], ["plant/7/alarm", "critical"]);
    assert.equal(payload.summary, 'plant/7/alarm: {"severity":"critical","t":99}');
    const ofPayload = await bodyOf("pagerduty", "a", '{"severity":"bad"}');
    assert.equal(ofPayload.payload.severity, "warning", "the one of the input");
  });
});

describe("line protocol", () => {
  const influx = filledExample(presetOf("influxdb"));
  const send = async (topic: string, payload: string, id?: string) => {
    const message = messageOf(topic, payload);
    return (await requestOf(influx, id === undefined ? message : { ...message, id }))?.body.toString();
  };
  const pointOf = async (topic: string, payload: string) => {
    const [point, ...others] = readLines((await send(topic, payload))!);
    assert.deepEqual(others, []);
    return point!;
  };

  it("has the topic as a tag, whatever its characters", async () => {
    const { measurement, tags } = await pointOf('a b,c=d"e/é🌡', "1");
    assert.deepEqual([measurement, tags], ["sensors", { topic: 'a b,c=d"e/é🌡' }]);
    assert.deepEqual((await pointOf("a\\", "1")).tags, { topic: "a_" }, "nothing escapes the delimiter");
  });

  it("has a field for each value of nested JSON", async () => {
    const { fields } = await pointOf(
      "a",
      '{"a":{"b":[1.5,{"c d":"x,= \\"\\\\\\ny"}]},"ok":true,"no":null,"time":2,"topic":3,"_x":4,"":5,"counter":7,"n":-12345678901234}',
    );
    assert.deepEqual(fields, {
      a_b_0: { float: 1.5 },
      "a_b_1_c d": 'x,= "\\ y',
      ok: true,
      time_field: { float: 2 },
      topic_field: { float: 3 },
      x: { float: 4 },
      field: { float: 5 },
      counter: { integer: 7n },
      n: { float: -12_345_678_901_234 },
    });
  });

  it("has a field of its own for each type of a payload without members", async () => {
    assert.deepEqual((await pointOf("a", "21.50")).fields, { value: { float: 21.5 } });
    assert.deepEqual((await pointOf("a", "true")).fields, { state: true });
    assert.deepEqual((await pointOf("a", "21.5 degrees")).fields, { text: "21.5 degrees" });
    assert.deepEqual((await pointOf("a", "1e300")).fields, { value: { float: 1e300 } });
  });

  it("of devices is sent unchanged", async () => {
    for (const lines of [
      "weather,location=us temperature=82 1465839830100400200",
      'weather,loc\\ ation=u\\,s text="a b \\" ,=",n=1i,u=2u,b=t,f=-1.5e+3\r\nweather n=1\n\n',
    ]) {
      assert.equal(await send("a", lines), lines);
      assert.ok(readLines(lines).length > 0);
    }
    for (const text of ["# comment", "m a", "m a=", "m a=1x", "m,a= b=1", "m a=1 b=2", "m a=1\nno"]) {
      assert.deepEqual((await pointOf("a", text)).fields, { text: text.replaceAll("\n", " ") });
    }
  });

  it("is not sent without a field", async () => {
    for (const payload of ["", "null", "{}", "[]", '{"a":[null,{}]}'])
      assert.equal(await send("a", payload), undefined);
    const binary = await requestOf(influx, messageOf("a", Buffer.from([255])));
    assert.equal(binary, undefined);
  });

  it("has a time of its own for each message of a millisecond, and the same one in each attempt", async () => {
    const { receivedAt } = messageOf("a", "1");
    // Ids count up within a millisecond.
    const ids = Array.from({ length: 300 }, (_, i) => `msg_${uuidv7({ msecs: receivedAt, seq: 2 ** 20 - 100 + i })}`);
    const timeOf = async (id: string) => readLines((await send("a", "1", id))!)[0]!.timestamp!;
    const times = await Promise.all(ids.map(timeOf));
    for (const time of times) assert.equal(time / 1_000_000n, BigInt(receivedAt));
    assert.equal(new Set(times).size, ids.length);
    assert.equal(await timeOf(ids[0]!), times[0]);
  });
});
