import type { Bridge } from "./bridge.ts";

const AT_ONCE = 16;

/** Registers `count` webhooks, each with a filter of its own. Returns the seconds that it took. */
export async function registerMany(bridge: Bridge, count: number): Promise<number> {
  const startedAt = performance.now();
  let next = 0;
  const register = async () => {
    while (next < count) {
      const n = next++;
      await bridge.api("POST", "/v1/webhooks", { url: `http://127.0.0.1:9/${n}`, topics: [`fleet/${n}/+/state`] });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, register));
  return (performance.now() - startedAt) / 1_000;
}
