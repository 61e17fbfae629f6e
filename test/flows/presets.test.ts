/** All presets through a real bridge, to receivers that check what the services publish about their format. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PRESETS } from "../../src/presets/index.ts";
import { awkwardPayload, awkwardTopic, filledExample } from "../presets/messages.ts";
import { SERVICES } from "../presets/services.ts";
import { readEvent } from "../support/events.ts";
import fc from "../support/property.ts";
import { embedded, scenario } from "../support/scenario.ts";
import { seed } from "../support/seed.ts";

const MESSAGES = 25;
/** Ends the wait for messages that a filter leaves out. */
const LAST = '{"value":1,"last":true}';

describe("presets", () => {
  // Other brokers refuse some of the topics.
  const world = scenario(embedded);

  it("send what the services accept, for awkward messages", async () => {
    const refused: string[] = [];
    world.receiver.answer = (call) => {
      const [, id = "", ...path] = call.path.split("/");
      const { check, response } = SERVICES[id]!;
      try {
        check({ ...call, path: `/${path.join("/")}` });
        return response;
      } catch (error) {
        refused.push(`${id}: ${(error as Error).message}\n${call.body}`);
        return 400;
      }
    };
    const secrets = new Map<string, string>();
    for (const preset of PRESETS) {
      const { url, rateLimit: _, ...webhook } = filledExample(preset);
      const { pathname, search } = new URL(url);
      const own = { ...webhook, topics: ["awkward/#"], ordering: "strict", retry: { scheduleSeconds: [] } };
      const { secret } = await world.bridge.register({
        ...own,
        url: `${world.receiver.url}/${preset.id}${pathname}${search}`,
      });
      secrets.set(preset.id, secret);
    }
    const messages = fc.sample(fc.tuple(awkwardTopic, awkwardPayload), { numRuns: MESSAGES, seed });
    for (const [topic, payload] of messages) {
      await world.device.publishAsync(`awkward/${topic}`, payload, { qos: 1 });
    }
    await world.device.publishAsync("awkward/last", LAST, { qos: 1 });
    const ofPreset = (id: string) => world.receiver.attempts.filter(({ path }) => path.startsWith(`/${id}/`));
    const isLast = (id: string) => ofPreset(id).some(({ headers }) => headers["ce-subject"] === "awkward/last");
    await world.receiver.until(() => PRESETS.every(({ id }) => isLast(id)));
    assert.deepEqual(refused, []);
    for (const { id } of PRESETS.filter(({ webhook }) => !webhook.filter)) {
      assert.equal(ofPreset(id).length, MESSAGES + 1, id);
    }
    // Signature and attributes are there too, for receivers that want them.
    const [first] = ofPreset("influxdb");
    assert.equal(readEvent(first!, secrets.get("influxdb")!).datacontenttype, "text/plain; charset=utf-8");
  });

  it("previews show the text as it is sent", async () => {
    const { status, body } = await world.bridge.api("POST", "/v1/webhooks/preview", {
      webhook: {
        topics: ["#"],
        ...filledExample(PRESETS.find(({ id }) => id === "influxdb")!),
        url: world.receiver.url,
      },
      message: { topic: "plant/7", payload: { a: { b: 1.5 } } },
    });
    assert.equal(status, 200);
    assert.match(body.request.body, /^sensors,topic=plant\/7 a_b=1\.5 \d{19}$/);
    assert.equal(body.request.headers["content-type"], "text/plain; charset=utf-8");
    assert.equal(body.request.headers.authorization, "********");
  });
});
