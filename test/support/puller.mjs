/**
 * A consumer of a pull webhook as a program of its own, to be killed. Reads BRIDGE, API_KEY, WEBHOOK and the input of its
 * pulls, INPUT, from the environment. Reports each step (`PullerStep`) as a line of JSON before or after it. Plain
 * JavaScript with the built client: it starts several times faster.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Causeway, isCausewayError, payloadText } from "causeway-mqtt/client";

const { BRIDGE, API_KEY, WEBHOOK, INPUT } = process.env;
/** Time between receipt and acknowledgement, in which a kill finds a consumer with leases. */
const WORK_MS = 5;

const causeway = new Causeway({ url: BRIDGE, apiKey: API_KEY });

/** Written synchronously: pipes are, on Linux. The monotonic clock is the same for all processes. */
function report(step) {
  process.stdout.write(`${JSON.stringify({ ...step, at: Number(process.hrtime.bigint()) / 1e6 })}\n`);
}

for (;;) {
  try {
    const items = await causeway.webhooks.pull(WEBHOOK, JSON.parse(INPUT));
    if (items.length === 0) continue;
    const events = items.map(({ messageId, event }) => {
      const { sequence } = event;
      return { id: messageId, topic: event.subject, text: payloadText(event).trim(), ...(sequence && { sequence }) };
    });
    report({ kind: "received", events });
    await delay(WORK_MS);
    report({ kind: "acking", events });
    const { unknown } = await causeway.webhooks.ack(WEBHOOK, items);
    report({ kind: "acked", events: events.filter(({ id }) => !unknown.includes(id)) });
  } catch (error) {
    if (isCausewayError(error, "not_found")) throw error;
    await delay(100);
  }
}
