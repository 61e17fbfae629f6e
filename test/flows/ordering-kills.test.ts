/** `ordering` when the bridge is killed among the messages. */
import { describe, it } from "node:test";
import { assertBooksClose } from "../support/books.ts";
import { accepted, assertAsReceived, assertInOrder, failSome, firstOf, publish, RETRY } from "../support/ordering.ts";
import { startReceiver } from "../support/receiver.ts";
import { embedded, mosquittoAndRedis } from "../support/setups.ts";

// At the same time: both mostly wait for the locks of the killed bridge to expire.
describe("ordering", { concurrency: true }, () => {
  for (const { kind, topics, each } of [
    { kind: mosquittoAndRedis("5"), topics: 15, each: 30 },
    { kind: embedded, topics: 6, each: 20 },
  ]) {
    it(`holds through SIGKILL in the middle: ${kind.name}`, kind.options, async (t) => {
      const setup = await kind.start();
      const receiver = await startReceiver();
      t.after(async () => {
        await setup.close();
        await receiver.close();
      });
      failSome(receiver, 0.1);
      receiver.delayMs = 5;
      await setup.bridge.register({ url: receiver.url, topics: ["o/#"], ordering: "topic", retry: RETRY });
      const published = publish(setup.brokerUrl, topics, each);
      for (const part of [0.2, 0.6]) {
        await receiver.until((calls) => calls.length > topics * each * part);
        await setup.bridge.kill();
        await setup.bridge.start();
      }
      await published;
      const { events } = await accepted(receiver, topics, each, 60_000);
      assertAsReceived(events);
      // The embedded broker ends with the bridge and resends its stored messages among new ones.
      if (setup.mosquitto) assertInOrder(firstOf(events), topics, each);
      await assertBooksClose(setup.bridge, { receiver });
    });
  }
});
