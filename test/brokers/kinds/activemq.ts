/** ActiveMQ "Classic" with an MQTT connector. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../support/directories.ts";
import { freePort } from "../../support/ports.ts";
import { startProcess, type TestProcess } from "../../support/processes.ts";
import { type BrokerKind, lacking } from "./kind.ts";

const JAR = "/usr/share/activemq/bin/activemq.jar";
const LIBRARIES = "/usr/share/activemq/lib";
/** Required by the MQTT connector; not part of ActiveMQ's package. */
const MQTT_LIBRARY = "/usr/share/java/mqtt-client.jar";
const STARTED_MS = 60_000;

export const activemq: BrokerKind = {
  id: "activemq",
  title: "ActiveMQ",
  protocol: "3.1.1",
  bridge: { MQTT_PROTOCOL: "auto" },
  missing: () => lacking("java", JAR, MQTT_LIBRARY, "redis-server"),
  async start() {
    const dir = temporaryDirectory("activemq");
    const libraries = join(dir, "libraries");
    mkdirSync(libraries);
    // Links the file, not its directory, which has other versions of ActiveMQ's own libraries.
    symlinkSync(MQTT_LIBRARY, join(libraries, "mqtt-client.jar"));
    const port = await freePort();
    writeFileSync(join(dir, "broker.xml"), configuration(dir, port));
    writeFileSync(join(dir, "log4j.properties"), LOG);
    let server = await run(dir);
    const [, version] = await server.waitFor(/Apache ActiveMQ (\d\S+)/);
    return {
      url: `mqtt://127.0.0.1:${port}`,
      version: `ActiveMQ ${version}`,
      restart: async () => {
        await server.stop("SIGTERM", STARTED_MS);
        server = await run(dir);
      },
      stop: async () => void (await server.stop("SIGTERM", STARTED_MS)),
    };
  },
};

const LOG = `log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%p %m%n
`;

function configuration(dir: string, port: number): string {
  return `<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans-2.0.xsd
  http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="test" useJmx="false" useShutdownHook="true"
    dataDirectory="${dir}/data">
    <persistenceAdapter><kahaDB directory="${dir}/data/kahadb" journalMaxFileLength="4mb"/></persistenceAdapter>
    <transportConnectors><transportConnector name="mqtt" uri="mqtt://127.0.0.1:${port}"/></transportConnectors>
  </broker>
</beans>
`;
}

async function run(dir: string): Promise<TestProcess> {
  const java = ["-Xmx256m", "-XX:TieredStopAtLevel=1", `-Dactivemq.base=${dir}`];
  const log = `-Dlog4j.configuration=file:${dir}/log4j.properties`;
  const libraries = [LIBRARIES, join(LIBRARIES, "optional"), join(dir, "libraries")].flatMap((lib) => [
    "--extdir",
    lib,
  ]);
  const args = [...java, log, "-jar", JAR, ...libraries, "start", `xbean:file:${dir}/broker.xml`];
  const server = startProcess("java", args, { cwd: dir });
  await server.waitFor(/Apache ActiveMQ \S+ \(.*\) started/, { timeoutMs: STARTED_MS });
  return server;
}
