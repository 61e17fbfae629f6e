/** At run time a message enters no composition file: the wiring connects the parts, and then stands aside. */
import assert from "node:assert/strict";
import { Session } from "node:inspector/promises";
import { it } from "node:test";
import { connectTo } from "../support/device.ts";
import { startInProcess } from "../support/in-process.ts";
import { startReceiver } from "../support/receiver.ts";

const COMPOSITION = /\/src\/(bridge\.ts|wiring\/[\w-]+\.ts)$/;

/** Records which functions of the composition files are called. */
async function watchCalls() {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
  return {
    /** Functions called since the last look, as `file:function`. */
    async look(): Promise<string[]> {
      const { result } = await session.post("Profiler.takePreciseCoverage");
      return result.flatMap(({ url, functions }) => {
        const file = COMPOSITION.exec(url)?.[1];
        const called = functions.filter(({ ranges }) => file && ranges[0]!.count > 0);
        return called.map(({ functionName }) => `${file}:${functionName}`);
      });
    },
    close: () => session.disconnect(),
  };
}

it("a message passes no composition file, in either direction", async (t) => {
  const calls = await watchCalls();
  t.after(() => calls.close());
  const [own, receiver] = await Promise.all([startInProcess(), startReceiver()]);
  const device = await connectTo(own.bridge.broker.url);
  t.after(async () => {
    await device.endAsync();
    await own.bridge.stop();
    await receiver.close();
  });
  receiver.answer = () => ({ status: 200, body: "done" });
  await own.register({
    url: receiver.url,
    topics: ["up/#"],
    replyTopic: "replies",
  });
  await own.register({ url: receiver.url, topics: ["ordered/#"], ordering: "topic" });
  await device.subscribeAsync(["replies", "down"]);
  const seen = await calls.look();
  assert.ok(seen.includes("bridge.ts:startBridge"), "calls are recorded");

  const replied = new Promise((resolve) => device.once("message", resolve));
  await device.publishAsync("up/a", "1", { qos: 1 });
  await device.publishAsync("ordered/a", "2", { qos: 1 });
  await device.publishAsync("unmatched", "3", { qos: 1 });
  await replied;
  await receiver.untilCalled(2);
  await own.api("POST", "/v1/messages", { topic: "down", payload: "4" });
  assert.deepEqual(await calls.look(), []);
});
