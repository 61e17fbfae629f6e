/** The drawing parts in a real terminal, at 80 and 120 columns. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { temporaryDirectory } from "../support/directories.ts";
import { eventually } from "../support/eventually.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { embedded, scenario } from "../support/scenario.ts";
import { cliEnv } from "./support.ts";
import { TmuxTerminal } from "./tmux.ts";

const WIDTHS = [80, 120];

describe("causeway in a terminal", requireOrSkip("tmux"), () => {
  const world = scenario(embedded);
  let terminals: Map<number, TmuxTerminal>;
  let webhookId: string;

  before(async () => {
    const webhook = {
      url: `${world.receiver.url}/a/path/that/is/too/long/for/a/terminal`,
      topics: ["devices/+/telemetry", "devices/+/status"],
      name: "telemetry of all devices",
      retry: { scheduleSeconds: [] },
    };
    ({ id: webhookId } = await world.bridge.register(webhook));
    world.receiver.answer = () => 500;
    for (let i = 0; i < 3; i++) await world.device.publishAsync(`devices/pi-${i}/telemetry`, "1", { qos: 1 });
    await eventually(
      () => world.bridge.api("GET", `/v1/webhooks/${webhookId}`),
      ({ body }) => body.counts.failed === 3,
    );
    const env = cliEnv(world.bridge);
    terminals = new Map(WIDTHS.map((width) => [width, new TmuxTerminal({ width, env })]));
  });
  after(() => {
    for (const terminal of terminals?.values() ?? []) terminal.close();
  });

  for (const width of WIDTHS) {
    it(`draws tables that fit ${width} columns and keep ids whole`, async () => {
      for (const command of ["webhooks list", "deliveries list", "keys list"]) {
        const lines = (await terminals.get(width)!.run(`causeway ${command}`)).split("\n");
        for (const line of lines) assert.ok([...line].length <= width, line);
        if (command !== "keys list") assert.match(lines[0]!, /^(ID|MESSAGE) +(STATE|STATUS) +/);
      }
      const table = await terminals.get(width)!.run("causeway webhooks list");
      assert.match(table, new RegExp(`^${webhookId} `, "m"));
    });

    it(`wraps the findings of the doctor between words at ${width} columns`, async () => {
      const screen = await terminals.get(width)!.run("causeway doctor --url http://10.0.0.1/");
      const lines = screen.split("\n");
      for (const line of lines) assert.ok([...line].length <= width, line);
      assert.match(screen, /✓ bridge +http/);
      assert.match(screen, /✗ webhook URL +10\.0\.0\.1 is not allowed/);
      assert.match(screen, / {22}→ Use a public address/);
      assert.match(lines.at(-1)!, /^1 failed check, /);
    });
  }

  it("colours states, and not with NO_COLOR or in a pipe", async () => {
    const terminal = terminals.get(120)!;
    const green = "\x1b[32m";
    assert.ok((await terminal.run("causeway webhooks list", true)).includes(`${green}active`));
    assert.ok(!(await terminal.run("NO_COLOR=1 causeway webhooks list", true)).includes(green));
    assert.match(await terminal.run("causeway webhooks list | cat", true), new RegExp(`^${webhookId}\\s+active`));
  });

  it("prints documents as YAML, and with --json indented", async () => {
    const terminal = terminals.get(120)!;
    assert.match(await terminal.run(`causeway webhooks get ${webhookId}`), /^topics:\n {2}- devices\/\+\/telemetry$/m);
    assert.match(await terminal.run(`causeway webhooks get ${webhookId} --json`), /^ {2}"topics": \[$/m);
  });

  it("shows a progress bar while lines are published, and removes it", async () => {
    const file = join(temporaryDirectory("cli"), "messages.ndjson");
    const line = `{"topic":"bulk","payload":"${"x".repeat(200)}","qos":1}\n`;
    writeFileSync(file, line.repeat(20_000));
    const terminal = terminals.get(80)!;
    terminal.type(`clear; causeway publish --lines --file ${file}`);
    await terminal.until(/^█+░+ +\d+ % [\d,]+ messages, [\d,]+\/s$/m);
    const screen = await terminal.until(/^20,000 messages, [\d,]+\/s\nready>$/m);
    assert.doesNotMatch(screen, /█|░/);
  });

  it("follows a replay to its end, and leaves no progress bar", async () => {
    world.receiver.answer = () => 204;
    const screen = await terminals.get(80)!.run(`causeway deliveries replay ${webhookId}`);
    assert.equal(screen, "finished: 3 of 3 deliveries");
    await world.receiver.untilCalled(6);
  });

  it("tails with local times, and ends with Ctrl-C", async () => {
    const terminal = terminals.get(80)!;
    terminal.type("clear; causeway tail 'tail/#'; echo status $?");
    await eventually(
      async () => {
        await world.device.publishAsync("tail/probe", "probe", { qos: 1 });
        return terminal.screen();
      },
      (screen) => /tail\/probe/.test(screen),
    );
    await world.device.publishAsync("tail/a", '{"celsius":21.50}\x1b[2J', { qos: 1 });
    await terminal.until(/^\d\d:\d\d:\d\d\.\d{3} {2}tail\/a {2}\{"celsius":21\.50\}\\e\[2J$/m);
    terminal.interrupt();
    await terminal.until(/status 0\nready>$/);
  });
});
