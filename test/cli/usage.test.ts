/** Commands that are refused before they call, or find no bridge. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { cliEnv, NOWHERE, runCli } from "./support.ts";

describe("without a bridge", () => {
  const CLOSED = { ...cliEnv(), CAUSEWAY_URL: "http://127.0.0.1:9", CAUSEWAY_API_KEY: "x" };

  it("commands fail with 4", async () => {
    const { code, stderr } = await runCli(["keys", "list"], { env: CLOSED });
    assert.equal(code, 4);
    assert.match(stderr, /^causeway: unreachable: http:\/\/127\.0\.0\.1:9 cannot be reached: /);
  });

  it("commands without a key fail with 5 before they call", async () => {
    const { code, stderr } = await runCli(["keys", "list"], { env: cliEnv() });
    assert.deepEqual([code, /no API key: pass --api-key/.test(stderr)], [5, true]);
  });

  const usage: [args: string[], pattern: RegExp, why: string][] = [
    [[], /^Usage: causeway/, "no command shows the help"],
    [["webhooks"], /^Usage: causeway webhooks/, "a group shows its help"],
    [["publsh"], /unknown command 'publsh'.*\n?.*publish/, "a misspelt command"],
    [["publish", "t", "x", "--qos", "3"], /must be 0, 1 or 2/, "a QoS that does not exist"],
    [["publish", "t"], /give a PAYLOAD/, "no payload"],
    [["publish", "t", "x", "--file", "f"], /either PAYLOAD or --file/, "two payloads"],
    [["publish", "t", "--file", join(NOWHERE, "none")], /cannot be read \(ENOENT\)/, "a file that is missing"],
    [["publish", "--lines", "t"], /--lines takes the topic/, "a topic for all lines"],
    [["publish", "--lines", "--retain"], /--lines takes retain/, "an option for all lines"],
    [["publish", "t", "x", "--send-at", "tomorrow"], /must be a time such as/, "a time in words"],
    [["webhooks", "get", ".."], /must be an id/, "dots as an id"],
    [["webhooks", "create"], /give --url, --preset or --type pull, and --topic/, "a webhook without a URL"],
    [["webhooks", "create", "--preset", "fax"], /there is no preset fax: give one of discord, /, "an unknown preset"],
    [["webhooks", "create", "--set", "a=b"], /need --preset/, "inputs without a preset"],
    [
      ["webhooks", "create", "--preset", "influxdb", "--set", "bucket=b", "--set", "server=x", "--set", "nose=1"],
      /no such input; --set server: must look like http.*; --set org: is required .*; --set token: is required/,
      "inputs that are missing, wrong or unknown",
    ],
    [["webhooks", "create", "--data", "{"], /--data is not valid JSON/, "JSON that is none"],
    [["webhooks", "update", "wh_1"], /at least one field/, "no change"],
    [["hooks", "create", "--name", "a"], /give --name and --topic/, "a hook without a topic"],
    [["keys", "create", "a"], /--scope/, "a key without scopes"],
    [["keys", "create", "a", "--scope", "read", "--rate-limit", "5"], /such as 100\/60/, "half a rate limit"],
    [["tail"], /missing required argument 'filter'/, "no filter"],
    [["keys", "list", "--profile", "none"], /there is no profile none/, "a profile that is missing"],
  ];
  for (const [args, pattern, why] of usage) {
    it(`usage: ${why}`, async () => {
      const { code, stdout, stderr } = await runCli(args, { env: CLOSED });
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr.replace(/^causeway: /, ""), pattern);
    });
  }

  it("a usage error is JSON with --json", async () => {
    const { stderr } = await runCli(["publish", "--json", "t"], { env: CLOSED });
    assert.equal(JSON.parse(stderr).code, "usage");
  });
});
