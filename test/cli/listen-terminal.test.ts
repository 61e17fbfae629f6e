/** Single keys of `causeway listen` in a real terminal, also a narrow one. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { requireOrSkip } from "../support/requirements.ts";
import { embedded, scenario } from "../support/scenario.ts";
import { cliEnv } from "./support.ts";
import { TmuxTerminal } from "./tmux.ts";

const PAYLOAD = '{"celsius":21.50,"text":"\x9b2J"}';

describe("causeway listen in a terminal", requireOrSkip("tmux"), () => {
  const world = scenario(embedded);
  const publish = (topic: string, payload: string) => world.device.publishAsync(topic, payload, { qos: 1 });
  let terminal: TmuxTerminal;
  beforeEach(() => {
    world.receiver.answer = () => 204;
  });
  afterEach(() => terminal.close());

  for (const width of [44, 100]) {
    it(`retries, inspects, pauses and quits by single keys at ${width} columns`, async () => {
      const { receiver } = world;
      terminal = new TmuxTerminal({ width, env: cliEnv(world.bridge) });
      const topic = `keys/${width}`;
      terminal.type(`clear; causeway listen --topic '${topic}/#' --forward-to ${receiver.url}; echo status $?`);
      await terminal.until(/^keys: r retry, i inspect, p pause, q quit$/m);
      terminal.press("i");
      await terminal.until(/^no event yet$/m);

      let refusals = 1;
      receiver.answer = () => (refusals-- > 0 ? 500 : 204);
      await publish(`${topic}/a`, PAYLOAD);
      await terminal.until(/^ {2}× 500, \d+ ms, again in 1 s$/m);
      await terminal.until(/^ {2}→ 204, \d+ ms$/m);
      const calls = receiver.calls.length;
      terminal.press("r");
      await receiver.untilCalled(calls + 1);
      terminal.press("i");
      const inspected = await terminal.until(/^ {2}"data": \{"celsius":21\.50,"text":"\\x9b2J"\}\n\}$/m);
      assert.match(inspected, /^ {2}"attempt": 1,\n {2}"specversion": "1\.0",$/m);

      terminal.press("p");
      await terminal.until(/^paused: messages are kept; p continues$/m);
      await publish(`${topic}/b`, "while paused");
      // Its answer shows that the keys work, and that the event is not the last one.
      terminal.press("i");
      await terminal.until(/(\n {2}"data": [^\n]*\n\}[\s\S]*){2}/);
      assert.doesNotMatch(terminal.screen(), /while paused/);
      terminal.press("p");
      await terminal.until(/^continued\n\d\d:\d\d:\d\d\.\d{3} {2}keys\/\d+\/b {2}while paused$/m);
      terminal.press("q");
      const screen = await terminal.until(/^status 0\nready>$/m);
      assert.match(screen, /^messages are kept; to end that:$/m);
      for (const line of screen.split("\n"))
        if (!/wh_|msg_|http|--/.test(line)) assert.ok([...line].length <= width, line);
    });
  }

  it("is suspended by Ctrl-Z, and has its keys again in the foreground", async () => {
    terminal = new TmuxTerminal({ width: 80, env: cliEnv(world.bridge) });
    terminal.type("clear; causeway listen --topic 'suspended/#'");
    await terminal.until(/^keys: i inspect, p pause, q quit$/m);
    terminal.press("C-z");
    await terminal.until(/Stopped/);
    await publish("suspended/a", "meanwhile");
    terminal.type("fg");
    await terminal.until(/suspended\/a {2}meanwhile$/m);
    terminal.press("q");
    await terminal.until(/end that:\n {2}causeway webhooks delete wh_[\s\S]*ready>$/m);
  });
});
