/**
 * Passes hostile URLs through the check at registration and the sender's real connection path. Two counters detect a
 * connection: the tap counts each attempt of this process, a listener covers all local addresses. `URLS` sets how many.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { createSender } from "../../src/uplink/egress/client.ts";
import { type AddressGuardOptions, createAddressGuard } from "../../src/uplink/egress/ssrf-guard.ts";
import { type ConnectionTap, tapConnections } from "../support/connection-tap.ts";
import { scaled } from "../support/speed.ts";
import { GOOD, type HostileUrl, hostileUrls } from "../uplink/egress/hostile-urls.ts";

const SEED = 20_260_301;
const URLS = Number(process.env.URLS ?? 30_000);
/** CPU time that one URL may take, in microseconds: about twice the usual, as other tests share the processor. */
const URL_US = 400;
const AT_ONCE = 50;
/** No call here waits for a timeout, however busy the machine is. */
const NEVER_MS = 100_000;

interface Outcome {
  /** Result of the check at registration. */
  refused: string | undefined;
  /** Result of a call that bypasses the check at registration. */
  error: string | undefined;
}

describe("hostile URLs", () => {
  let tap: ConnectionTap;
  let accepted = 0;
  const listener = createServer((socket) => {
    accepted++;
    socket.on("error", () => {}).destroy();
  });
  let port: number;

  before(async () => {
    // A listener on :: accepts IPv4 as well.
    listener.on("error", () => listener.listen(0, "0.0.0.0")).listen(0, "::");
    await once(listener, "listening");
    port = (listener.address() as AddressInfo).port;
    tap = await tapConnections();
  });
  beforeEach(() => {
    accepted = 0;
    tap.clear();
  });
  after(() => {
    tap.close();
    listener.close();
  });

  /** Registers and calls each URL; yields the results. */
  async function attack(
    count: number,
    allow: string[],
    judge: (hostile: HostileUrl, outcome: Outcome) => void,
  ): Promise<void> {
    const answers = new Map<string, string[][]>();
    const guard = createAddressGuard({ allow, resolve: resolverOf(answers), resolveTimeoutMs: NEVER_MS });
    const sender = createSender({ guard, connectTimeoutMs: NEVER_MS });
    async function one(hostile: HostileUrl): Promise<void> {
      const hostname = URL.canParse(hostile.url) ? new URL(hostile.url).hostname : "";
      if (hostile.answers.length > 0) answers.set(hostname, [...hostile.answers]);
      const refused = (await guard.checkUrlResolved(hostile.url))?.code;
      const { error } = await sender.send({ url: hostile.url, headers: {}, body: "{}", timeoutMs: NEVER_MS });
      answers.delete(hostname);
      judge(hostile, { refused, error });
    }
    const urls = hostileUrls(count, SEED, port);
    const work = Array.from({ length: AT_ONCE }, async () => {
      for (const hostile of urls) await one(hostile);
    });
    await Promise.all(work);
    await sender.close(0);
  }

  it(`get no connection: ${URLS} of them`, async () => {
    const startedWith = process.cpuUsage();
    const count: Record<HostileUrl["kind"], number> = { literal: 0, name: 0, mixture: 0, rebinding: 0 };
    await attack(URLS, [], ({ url, kind }, { refused, error }) => {
      count[kind]++;
      if (kind === "literal") {
        assert.ok(refused === "blocked_address" || refused === "invalid_url", `registered: ${url}`);
        assert.ok(error === "blocked_address" || (error === "network_error" && !URL.canParse(url)), `${error}: ${url}`);
      } else if (kind === "name") {
        assert.deepEqual([refused, error], ["blocked_address", "blocked_address"], url);
      } else if (kind === "mixture") {
        // The sender tries the good address, and the tap refuses it.
        assert.deepEqual([refused, error], [undefined, "connection_refused"], url);
      } else {
        assert.deepEqual([refused, error], [undefined, "blocked_address"], url);
      }
    });
    assert.ok(
      Object.values(count).every((number) => number > URLS / 100),
      JSON.stringify(count),
    );
    assert.equal(accepted, 0);
    // Only the good addresses were tried, each once, whatever the mixture contained: so the tap does count attempts.
    const tried = [...tap.attempts.values()].reduce((sum, number) => sum + number, 0);
    assert.deepEqual([[...tap.attempts.keys()].sort(), tried], [[...GOOD].sort(), count.mixture]);
    // CPU time, because other tests run at the same time.
    const { user, system } = process.cpuUsage(startedWith);
    assert.ok(user + system < scaled(URLS * URL_US), `took ${(user + system) / 1_000_000} s`);
  });

  it("reach both counters as soon as a single range is allowed", async () => {
    let reached = 0;
    await attack(5_000, ["127.0.0.0/8"], (_, { error }) => {
      if (error === "connection_reset" || error === "tls_error") reached++;
    });
    const loopback = [...tap.attempts].filter(([address]) => address.startsWith("127."));
    assert.ok(loopback.length > 10 && reached > 20, `${loopback.length} addresses, ${reached} calls`);
    assert.ok(accepted > 20, `${accepted} connections`);
  });
});

/** Returns the next answer of a name at each lookup. */
function resolverOf(answers: Map<string, string[][]>): NonNullable<AddressGuardOptions["resolve"]> {
  return (hostname, _options, done) => {
    const rounds = answers.get(hostname) ?? [];
    const [now = []] = rounds;
    if (rounds.length > 1) rounds.push(rounds.shift()!);
    const found = now.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    setImmediate(done, null, found);
  };
}
