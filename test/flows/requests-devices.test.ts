/** Requests to devices with shared subscriptions and with wildcards. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "../support/eventually.ts";
import { mosquittoAndRedis, scenario } from "../support/scenario.ts";

const REQUESTS = 20;

for (const protocol of ["5", "3.1.1"] as const) {
  const kind = mosquittoAndRedis(protocol);
  describe(`a request, ${kind.name}`, kind.options, () => {
    const world = scenario(kind);

    /** Connects a device that answers with its name and counts its responses. */
    async function device(name: string, filter: string) {
      const client = await world.connect({ protocolVersion: protocol === "5" ? 5 : 4 });
      const asked: string[] = [];
      client.on("message", (topic, _payload, { properties }) => {
        asked.push(topic);
        const { responseTopic = topic.replace("requests", "responses"), correlationData } = properties ?? {};
        client.publish(responseTopic, name, { qos: 1, ...(correlationData && { properties: { correlationData } }) });
      });
      const [granted] = await client.subscribeAsync(filter, { qos: 1 });
      assert.equal(granted!.qos, 1);
      return { asked };
    }

    const OWN = (device: string) => ({
      topic: `devices/${device}/requests/{requestId}`,
      responseTopic: `devices/${device}/responses/{requestId}`,
    });
    const ask = (body: object) => world.bridge.api("POST", "/v1/requests", { payload: "?", ...body });

    it("is answered by one member of a shared subscription", async () => {
      const one = await device("one", "$share/g/devices/shared/requests/+");
      const two = await device("two", "$share/g/devices/shared/requests/+");
      // Without a response topic in the request: MQTT 5 needs no agreement on topics.
      const bodies = [OWN("shared"), ...(protocol === "5" ? [{ topic: "devices/shared/requests/x" }] : [])];
      for (const request of bodies) {
        const answers = await Promise.all(Array.from({ length: REQUESTS }, () => ask(request)));
        for (const { status, body } of answers) {
          assert.equal(status, 200);
          assert.equal(body.outcome, "responded");
          assert.match(body.response.payload, /^(one|two)$/);
        }
      }
      const all = [...one.asked, ...two.asked];
      assert.equal(all.length, bodies.length * REQUESTS, "each request reached exactly one of them");
      assert.ok(one.asked.length > 0 && two.asked.length > 0, "and both of them had some");
      const { bytes } = await world.bridge.api("GET", "/metrics");
      assert.match(bytes.toString(), /^causeway_request_answers_late_total 0$/m, "no second answer came");
    });

    it("is answered by one member of a shared subscription when stored", async () => {
      const { status, body } = await world.bridge.api(
        "POST",
        "/v1/requests",
        { ...OWN("shared"), payload: "?" },
        {
          prefer: "respond-async",
        },
      );
      assert.equal(status, 202);
      const { body: state } = await eventually(
        () => world.bridge.api("GET", `/v1/requests/${body.id}`),
        (answer) => answer.body.outcome !== "pending",
      );
      assert.equal(state.outcome, "responded");
      assert.match(state.response.payload, /^(one|two)$/);
    });

    it("is answered by a device that subscribed with wildcards", async () => {
      const { asked } = await device("wild", "devices/+/requests/#");
      const { status, body } = await ask(OWN("any"));
      assert.equal(status, 200);
      assert.deepEqual([body.outcome, body.response.payload], ["responded", "wild"]);
      assert.deepEqual(asked, [`devices/any/requests/${body.id}`]);
    });
  });
}
