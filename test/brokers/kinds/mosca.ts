/** Mosca, the ancestor of Aedes, unmaintained since 2018. Installed next to its start script, not with our packages. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../support/ports.ts";
import { startProcess } from "../../support/processes.ts";
import { type BrokerKind, lacking } from "./kind.ts";

const HOME = fileURLToPath(new URL("../mosca", import.meta.url));
/** npm writes this file last: a directory without it is incomplete. */
const INSTALLED = join(HOME, "node_modules/.package-lock.json");

export const mosca: BrokerKind = {
  id: "mosca",
  title: "Mosca",
  protocol: "3.1.1",
  bridge: { MQTT_PROTOCOL: "auto" },
  missing: () => lacking("npm", "redis-server"),
  async start() {
    await install();
    const port = await freePort();
    const run = async () => {
      const server = startProcess(process.execPath, ["server.cjs", String(port)], { cwd: HOME });
      await server.waitFor(/ready/);
      return server;
    };
    let server = await run();
    const [, version] = await server.waitFor(/mosca (\S+)/);
    return {
      url: `mqtt://127.0.0.1:${port}`,
      version: `Mosca ${version}`,
      restart: async () => {
        await server.stop();
        server = await run();
      },
      stop: async () => void (await server.stop()),
    };
  },
};

/** Installs Mosca once for all runs. Its optional packages are databases with native code. */
async function install(): Promise<void> {
  if (existsSync(INSTALLED)) return;
  const args = ["ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"];
  const npm = startProcess("npm", args, { cwd: HOME });
  const { code } = await npm.exited;
  if (code !== 0) throw new Error(`npm could not install Mosca:\n${npm.output}`);
}
