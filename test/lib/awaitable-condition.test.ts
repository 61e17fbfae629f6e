import assert from "node:assert/strict";
import { it } from "node:test";
import { AwaitableCondition } from "../../src/lib/awaitable-condition.ts";

it("a condition ends every wait once it holds, and the others at their timeout", async () => {
  let holds = false;
  const condition = new AwaitableCondition(() => holds);
  const short = condition.within(1);
  const waits = [condition.within(60_000), condition.within(60_000)];
  condition.check();
  assert.equal(await short, false);
  holds = true;
  condition.check();
  assert.deepEqual(await Promise.all(waits), [true, true]);
  assert.equal(await condition.within(0), true);
});
