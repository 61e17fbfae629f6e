/**
 * RabbitMQ with its MQTT plugin. It is isolated from a system installation by its own node name, directories, cookie,
 * and epmd (Erlang's port mapper, which Erlang would otherwise start as a daemon and leave running).
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../support/directories.ts";
import { acceptsConnections, freePort } from "../../support/ports.ts";
import { startProcess, type TestProcess } from "../../support/processes.ts";
import { type BrokerKind, lacking } from "./kind.ts";

/** Not the one on PATH: Debian's wrapper switches to the user `rabbitmq`, who cannot write to our directories. */
const SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const STARTED_MS = 60_000;

export const rabbitmq: BrokerKind = {
  id: "rabbitmq",
  title: "RabbitMQ",
  protocol: "3.1.1",
  bridge: { MQTT_PROTOCOL: "auto" },
  missing: () => lacking(SERVER, "epmd", "redis-server"),
  async start() {
    const dir = temporaryDirectory("rabbitmq");
    mkdirSync(join(dir, "home"));
    const [amqp, mqtt, distribution, mapper] = [await freePort(), await freePort(), await freePort(), await freePort()];
    const configFile = join(dir, "rabbitmq.conf");
    writeFileSync(
      configFile,
      `listeners.tcp.1 = 127.0.0.1:${amqp}\nmqtt.listeners.tcp.1 = 127.0.0.1:${mqtt}\nmqtt.allow_anonymous = true\n`,
    );
    const pluginsFile = join(dir, "enabled_plugins");
    writeFileSync(pluginsFile, "[rabbitmq_mqtt].\n");
    const env = {
      HOME: join(dir, "home"),
      RABBITMQ_MNESIA_BASE: join(dir, "mnesia"),
      RABBITMQ_LOG_BASE: join(dir, "log"),
      RABBITMQ_LOGS: "-",
      RABBITMQ_NODENAME: `causeway-${amqp}@localhost`,
      RABBITMQ_DIST_PORT: String(distribution),
      RABBITMQ_CONFIG_FILE: configFile,
      RABBITMQ_ENABLED_PLUGINS_FILE: pluginsFile,
      RABBITMQ_CONF_ENV_FILE: "/dev/null",
      // Makes the script exec the server, so that a signal to the child reaches the server.
      RUNNING_UNDER_SYSTEMD: "1",
      ERL_EPMD_PORT: String(mapper),
      ERL_EPMD_ADDRESS: "127.0.0.1",
    };
    const epmd = startProcess("epmd", ["-port", String(mapper), "-address", "127.0.0.1"], { env });
    await acceptsConnections(mapper);
    let server = await run(env, mqtt);
    const [, version] = await server.waitFor(/Starting RabbitMQ (\S+)/);
    return {
      url: `mqtt://127.0.0.1:${mqtt}`,
      version: `RabbitMQ ${version}`,
      restart: async () => {
        await server.stop("SIGTERM", STARTED_MS);
        server = await run(env, mqtt);
      },
      stop: async () => {
        await server.stop("SIGTERM", STARTED_MS);
        await epmd.stop();
      },
    };
  },
};

async function run(env: Record<string, string>, port: number): Promise<TestProcess> {
  const server = startProcess(SERVER, [], { env });
  // The plugins take some time before the listeners open.
  await server.waitFor(/Server startup complete/, { timeoutMs: STARTED_MS });
  await acceptsConnections(port);
  return server;
}
