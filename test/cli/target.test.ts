/** Flag > environment > profile > the bridge on this machine. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { UsageError } from "../../src/cli/failures.ts";
import { findTarget, isLoopback } from "../../src/cli/settings/target.ts";
import { temporaryDirectory } from "../support/directories.ts";

const dataDir = temporaryDirectory("data");
writeFileSync(join(dataDir, "api-key"), "cw_local\n");
const LOCAL = { DATA_DIR: dataDir };

/** The variable that leads to a config.yaml with this text. */
function withProfiles(text: string): { XDG_CONFIG_HOME: string } {
  const folder = temporaryDirectory("config");
  mkdirSync(join(folder, "causeway"));
  writeFileSync(join(folder, "causeway/config.yaml"), text);
  writeFileSync(join(folder, "causeway/prod.key"), "cw_from_file\n");
  return { XDG_CONFIG_HOME: folder };
}

const PROFILES = withProfiles(`
profiles:
  default: { url: "http://profile", apiKey: cw_profile }
  prod: { url: "https://prod/causeway", apiKeyFile: prod.key }
`);
const NONE = { XDG_CONFIG_HOME: temporaryDirectory("config") };
const ENVIRONMENT = { CAUSEWAY_URL: "http://environment", CAUSEWAY_API_KEY: "cw_environment" };
const FLAGS = { bridge: "http://flag", apiKey: "cw_flag" };

describe("the bridge and the key of a command", () => {
  const cases: [why: string, target: object, flags: object, env: Record<string, string>][] = [
    ["flags first", { url: "http://flag", apiKey: "cw_flag" }, FLAGS, { ...ENVIRONMENT, ...PROFILES }],
    [
      "then the environment",
      { url: "http://environment", apiKey: "cw_environment" },
      {},
      { ...ENVIRONMENT, ...PROFILES },
    ],
    ["then the default profile", { url: "http://profile", apiKey: "cw_profile" }, {}, { ...PROFILES, ...LOCAL }],
    ["or the named one", { url: "https://prod/causeway", apiKey: "cw_from_file" }, { profile: "prod" }, PROFILES],
    [
      "then the bridge on this machine",
      { url: "http://127.0.0.1:8080", apiKey: "cw_local" },
      {},
      { ...NONE, ...LOCAL },
    ],
    [
      "which has the port and the path of the bridge's own settings",
      { url: "http://127.0.0.1:9/base", apiKey: "cw_local" },
      {},
      { ...NONE, ...LOCAL, PORT: "9", BASE_PATH: "/base" },
    ],
    [
      "each value by its own order",
      { url: "http://flag", apiKey: "cw_environment" },
      { bridge: "http://flag" },
      ENVIRONMENT,
    ],
    ["an empty variable is absent", { url: "http://127.0.0.1:8080" }, {}, { ...NONE, ...LOCAL, CAUSEWAY_URL: "" }],
    [
      "the local key serves every loopback address",
      { apiKey: "cw_local" },
      { bridge: "http://[::1]:1" },
      { ...NONE, ...LOCAL },
    ],
    [
      "the local key never leaves the machine",
      { apiKey: undefined },
      { bridge: "http://elsewhere" },
      { ...NONE, ...LOCAL },
    ],
    ["no key at all", { apiKey: undefined }, {}, { ...NONE, DATA_DIR: "/nonexistent" }],
  ];
  for (const [why, expected, flags, env] of cases) {
    it(why, () => {
      const target = findTarget(flags, env);
      assert.deepEqual({ ...target, ...expected }, target);
    });
  }

  it("tells where they come from", () => {
    const { urlFrom, keyFrom } = findTarget({ profile: "prod", apiKey: "x" }, PROFILES);
    assert.deepEqual([urlFrom, keyFrom], ["profile prod", "--api-key"]);
  });
});

describe("a mistake is a usage error that shows no key", () => {
  const cases: [why: string, pattern: RegExp, flags: object, env: Record<string, string>][] = [
    ["a profile that is missing", /no profile test in .*default, prod/, { profile: "test" }, PROFILES],
    ["a profile without a file", /does not exist/, { profile: "test" }, NONE],
    ["YAML that is none", /not valid YAML, line 1/, {}, withProfiles("profiles: { a: { apiKey: cw_secret }")],
    ["no profiles", /must contain profiles/, {}, withProfiles("default: {}")],
    ["a list", /must contain profiles/, {}, withProfiles("profiles: [cw_secret]")],
    ["an unknown field", /unknown field key/, {}, withProfiles("profiles: { default: { key: cw_secret } }")],
    ["a number as the key", /apiKey must be text/, {}, withProfiles("profiles: { default: { apiKey: 12345 } }")],
    [
      "a key file that is missing",
      /gone does not exist/,
      {},
      withProfiles("profiles: { default: { apiKeyFile: gone } }"),
    ],
    ["an address without a scheme", /CAUSEWAY_URL: the address/, {}, { ...NONE, CAUSEWAY_URL: "localhost:8080" }],
  ];
  for (const [why, pattern, flags, env] of cases) {
    it(why, () =>
      assert.throws(
        () => findTarget(flags, env),
        (error: Error) => {
          assert.ok(error instanceof UsageError);
          assert.match(error.message, pattern);
          assert.doesNotMatch(error.message, /cw_secret|12345/);
          return true;
        },
      ),
    );
  }
});

it("loopback is recognized by the address, not by the beginning of a name", () => {
  const urls = [
    "http://127.0.0.1",
    "http://127.9.9.9:1",
    "http://localhost/x",
    "http://[::1]",
    "http://127.0.0.1.evil.example",
    "http://localhost.example",
  ];
  assert.deepEqual(urls.map(isLoopback), [true, true, true, true, false, false]);
});
