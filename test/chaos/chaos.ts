/** One run: start everything, send, inject faults, mend everything, wait until nothing changes, and count. */
import { setTimeout as delay } from "node:timers/promises";
import { lossesOf } from "./attribute.ts";
import { startDevice, startSender } from "./downlink.ts";
import { type Fault, type ScheduleOptions, schedule } from "./faults.ts";
import { inject } from "./inject.ts";
import { Ledger, Ledgers } from "./ledger.ts";
import { publishEnd, startPublisher } from "./publisher.ts";
import { type Books, booksThatDoNotClose, brokerKills, makeReport, type Report } from "./report.ts";
import { closeBreaker, startWorld, type World } from "./world.ts";

export interface ChaosOptions extends Omit<ScheduleOptions, "lengthMs"> {
  seed: number;
  /** Duration of sending and of the faults, in milliseconds. */
  lengthMs: number;
  /** QoS 1 messages from devices. QoS 0 and 2: a tenth of it each; to devices: a twentieth and a fiftieth. */
  messages: number;
  /** Milliseconds without progress after which the run gives up. */
  patienceMs: number;
  /**
   * The same for requests not accepted yet: an instance that was killed holds their Idempotency-Key for 90 s.
   */
  requestsPatienceMs: number;
  progress(line: string): void;
}

const PROGRESS_MS = 10_000;
const POLL_MS = 250;
const TIMEOUT_MS = 5_000;

export async function chaos(options: ChaosOptions): Promise<Report> {
  const faults = schedule(options.seed, options);
  const world = await startWorld(faults.filter(({ target, kind }) => target === "broker" && kind === "kill").length);
  try {
    return await run(world, faults, options);
  } finally {
    await world.close();
  }
}

async function run(world: World, faults: Fault[], options: ChaosOptions): Promise<Report> {
  const { lengthMs, messages, patienceMs, requestsPatienceMs, progress } = options;
  const { bridges, receiver, brokerUrl } = world;
  const ups = ([0, 1, 2] as const).map((qos) => new Ledger("up", qos));
  const downs = ([1, 2] as const).map((qos) => new Ledger("down", qos));
  const counted = [...ups, ...downs];
  const end = new Ledger("end", 1);
  const ledgers = new Ledgers(...counted, end);
  const share = [[0.1, 1, 0.1], { 1: 0.05, 2: 0.02 }] as const;
  const load = (part: number) => {
    const count = Math.max(1, Math.round(messages * part));
    return { count, perSecond: (count * 1_000) / lengthMs };
  };

  const webhook = await bridges[0].register({
    url: world.webhookUrl,
    topics: ["chaos/up/#"],
    qos: 2,
    concurrency: 20,
    timeoutMs: TIMEOUT_MS,
    retry: { scheduleSeconds: Array(50).fill(1) },
  });
  const device = await startDevice(brokerUrl, ledgers);
  const publishers = ups.map((ledger) => startPublisher(brokerUrl, ledger, load(share[0][ledger.qos])));
  const senders = downs.map((ledger) => startSender(bridges, ledger, load(share[1][ledger.qos as 1 | 2])));
  const injection = inject(faults, world.targets, lengthMs, ({ target }: Fault) => {
    if (target === "receiver" || target === "bridge-receiver") void closeBreaker(bridges, webhook.id);
  });

  const arrived = () => {
    receiver.read(ledgers);
    return ledgers.all.reduce((sum, { arrivals }) => sum + arrivals.size, 0);
  };
  const acknowledged = () => ledgers.all.reduce((sum, ledger) => sum + ledger.acknowledged.size, 0);
  const begin = Date.now();
  const tell = (what: string) => {
    const seconds = Math.round((Date.now() - begin) / 1_000);
    progress(`${seconds} s: ${acknowledged()} acknowledged, ${arrived()} arrived; ${what}`);
  };
  const ticker = setInterval(() => {
    const lasting = injection.happened.filter(({ to }) => to === Number.POSITIVE_INFINITY);
    tell(lasting.map(({ target, kind }) => `${kind} ${target}`).join(", ") || "no fault");
  }, PROGRESS_MS);

  const trouble: string[] = [];
  try {
    await injection.done;
    tell("the faults are over");
    for (const [i, bridge] of bridges.entries()) {
      if (bridge.running) continue;
      trouble.push(`bridge-${"ab"[i]} is not there at the end:\n${bridge.output.slice(-2_000)}`);
      await bridge.start();
    }
    await closeBreaker(bridges, webhook.id);
    const moved = () => acknowledged() + arrived();
    await untilStill(Promise.all(publishers.map(({ done }) => done)), moved, patienceMs);
    await untilStill(Promise.all(senders.map(({ done }) => done)), acknowledged, requestsPatienceMs);
    await Promise.all(senders.map((sender) => sender.close()));
    tell("all is sent");
    await publishEnd(brokerUrl, end);
    const evidence = {
      passages: (payload: string) => world.witness.of(payload),
      kills: brokerKills(injection.happened),
    };
    const complete = () => end.arrivals.size === 2 && counted.every((one) => lossesOf(one, evidence).lost.length === 0);
    const undelivered = await drained(world, webhook.id, complete, arrived, patienceMs);
    if (end.arrivals.size < 2) trouble.push("the last message did not arrive both ways");
    tell(`${undelivered} deliveries wait`);
    const books = await ledgersOf(world);
    arrived();
    return makeReport({
      ledgers: counted,
      happened: injection.happened,
      passages: evidence.passages,
      trouble: [...injection.trouble, ...world.witness.trouble, ...trouble],
      books,
      undelivered,
    });
  } finally {
    clearInterval(ticker);
    await Promise.allSettled([...senders, ...publishers].map((one) => one.close()));
    await device.endAsync(true);
  }
}

/** Waits until the promise resolves, or until nothing has changed for `patienceMs`. Rejects when the promise does. */
async function untilStill(done: Promise<unknown>, moved: () => number, patienceMs: number): Promise<void> {
  let over = false;
  const end = done.then(() => {
    over = true;
  });
  let [last, at] = [moved(), Date.now()];
  while (!over && Date.now() - at < patienceMs) {
    await Promise.race([end, delay(POLL_MS)]);
    const now = moved();
    if (now !== last) [last, at] = [now, Date.now()];
  }
}

/**
 * Waits until all expected messages have arrived, the queue is empty, and nothing changes any more.
 * @returns the number of deliveries that still wait
 */
async function drained(
  { bridges }: World,
  webhookId: string,
  complete: () => boolean,
  moved: () => number,
  patienceMs: number,
): Promise<number> {
  let waiting = Number.POSITIVE_INFINITY;
  let [last, at] = ["", Date.now()];
  while (Date.now() - at < patienceMs) {
    const { body } = await bridges[0].api("GET", `/v1/webhooks/${webhookId}`);
    const { pending, active, retrying } = body.counts ?? {};
    if (pending !== undefined) waiting = pending + active + retrying;
    const now = `${moved()} ${waiting}`;
    if (waiting === 0 && now === last && complete()) break;
    if (now !== last) [last, at] = [now, Date.now()];
    await delay(POLL_MS);
  }
  return waiting;
}

const BOOKS_MS = 5_000;

/** Reads the ledgers; reads again for a while if they do not balance, as the last ends may not be recorded yet. */
async function ledgersOf({ bridges }: World): Promise<Books | undefined> {
  for (const end = Date.now() + BOOKS_MS; ; await delay(POLL_MS)) {
    const { body } = await bridges[0].api("GET", "/v1/status");
    const books: Books | undefined = body.books;
    if (!books || Date.now() > end || booksThatDoNotClose(books).length === 0) return books;
  }
}
