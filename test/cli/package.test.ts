/** The program in the package, as npm would publish it. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../support/directories.ts";
import { freePort } from "../support/ports.ts";
import { cliEnv } from "./support.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

describe("the program in the package", () => {
  const { bin, version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  let program: string;

  before(() => {
    assert.ok(existsSync(join(ROOT, bin.causeway)), "run `npm run build` first");
    const folder = temporaryDirectory("package");
    // Scripts would build again, under the feet of other tests.
    const pack = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder];
    const [{ filename }] = JSON.parse(execFileSync("npm", pack, { cwd: ROOT, encoding: "utf8" }));
    execFileSync("tar", ["-xzf", filename], { cwd: folder });
    program = join(folder, "package", bin.causeway);
  });

  /** Runs it in a folder without packages. */
  function run(args: string[], env: Record<string, string> = {}) {
    const cwd = temporaryDirectory("empty");
    return spawnSync(process.execPath, [program, ...args], {
      cwd,
      encoding: "utf8",
      env: { ...process.env, ...cliEnv(), ...env },
    });
  }

  it("is a script for Node.js", () => assert.match(readFileSync(program, "utf8"), /^#!\/usr\/bin\/env node\n/));

  it("loads no package, so that it starts fast", () => {
    const { status, stdout, stderr } = run(["--version"]);
    assert.deepEqual([status, stdout, stderr], [0, `${version}\n`, ""]);
    // The large modules are in files that only some commands load.
    assert.ok(readFileSync(program).length < 400_000);
  });

  it("has all modules of the client", async () => {
    const target = { CAUSEWAY_URL: `http://127.0.0.1:${await freePort()}`, CAUSEWAY_API_KEY: "x" };
    assert.equal(run(["publish", "a", "b"], target).status, 4);
  });

  it("has the clients of broker and store for the doctor", async () => {
    const port = String(await freePort());
    const env = { MQTT_URL: `mqtt://127.0.0.1:${port}`, STORE_URL: `redis://127.0.0.1:${port}`, PORT: port };
    const { status, stdout } = run(["doctor", "--json"], env);
    const checks = JSON.parse(stdout).findings.map(({ check }: { check: string }) => check);
    assert.equal(status, 1);
    for (const check of ["Redis", "MQTT connection"]) assert.ok(checks.includes(check), check);
  });
});
