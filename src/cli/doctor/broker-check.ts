/** The broker as the bridge sees it, tried with a client id and a topic of its own. */
import { randomBytes } from "node:crypto";
import { type Finding, failed, ok, warning } from "../../client/doctor/finding.ts";
import { withDeadline } from "../../lib/deadline.ts";
import { type BrokerAddress, Connection, type ProtocolVersion, protocolName } from "../../mqtt/client/connection.ts";

const CONNECT_MS = 15_000;
const ANSWER_MS = 5_000;
/** Without `--topic`. */
const DEFAULT_TOPIC = "causeway/doctor";

interface Connack {
  sessionPresent: boolean;
  properties?: { maximumQoS?: number; retainAvailable?: boolean };
}

interface ProbeConnection {
  connection: Connection;
  connack: Connack;
  protocol: ProtocolVersion;
}

/** @param topic topic that the bridge may publish to and subscribe to; its subscribers receive the probe */
export async function checkBroker(broker: BrokerAddress, topic: string | undefined): Promise<Finding[]> {
  const clientId = `causeway-doctor-${randomBytes(4).toString("hex")}`;
  const open = (isPersistent: boolean) => connect(broker, clientId, isPersistent);
  const first = await open(true);
  if (typeof first === "string") {
    const advice = "Check that the broker runs, and MQTT_URL, MQTT_USERNAME, MQTT_PASSWORD and the certificates.";
    return [failed("MQTT connection", `${broker.url}: ${first}`, advice)];
  }
  const findings = [connected(broker, first)];
  const target = { topic: topic ?? DEFAULT_TOPIC, isChosen: topic !== undefined };
  // Aedes reports only sessions with subscriptions as present.
  await within(first.connection.client.subscribeAsync(target.topic, { qos: 1 })).catch(() => undefined);
  await first.connection.close();
  const second = await open(true);
  if (typeof second === "string") return [...findings, failed("MQTT session", second, "See the log of the broker.")];
  findings.push(session(second));
  findings.push(...(await tryTopic(second, target)));
  if (findings.every(({ status }) => status === "ok")) findings.push(await tryRetained(second));
  await second.connection.close();
  // Removes the session of the probe.
  const last = await open(false);
  if (typeof last !== "string") await last.connection.close();
  return findings;
}

/** Returns the reason if there is no connection. */
async function connect(
  broker: BrokerAddress,
  clientId: string,
  persistent: boolean,
): Promise<ProbeConnection | string> {
  const quiet = { info() {}, warn() {}, error() {} };
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), CONNECT_MS);
  let accepted: Omit<ProbeConnection, "connection"> | undefined;
  const connection = new Connection({
    broker,
    name: "doctor",
    clientId,
    persistent,
    log: quiet,
    prepare: (client) => {
      client.on("error", ({ code }: Error & { code?: unknown }) => {
        // A refused version, or none in time, is followed by an attempt with the other one.
        if (code !== undefined && code !== 1 && code !== 132) setImmediate(() => giveUp.abort());
      });
    },
    onConnect: (connack, protocol) => {
      accepted = { connack: connack as Connack, protocol };
    },
  });
  try {
    await connection.untilConnected(giveUp.signal);
    return { connection, ...accepted! };
  } catch {
    const reason = connection.lastError ?? `no answer within ${CONNECT_MS / 1_000} s`;
    await connection.close();
    return reason;
  } finally {
    clearTimeout(timer);
  }
}

function connected({ url }: BrokerAddress, { protocol, connack }: ProbeConnection): Finding {
  const { maximumQoS = 2, retainAvailable = true } = connack.properties ?? {};
  const limits = [
    ...(maximumQoS < 2 ? [`QoS ${maximumQoS} at most`] : []),
    ...(retainAvailable ? [] : ["no retained messages"]),
  ];
  const detail = `${url}, MQTT ${protocolName(protocol)}${limits.map((each) => `, ${each}`).join("")}`;
  if (maximumQoS > 0) return ok("MQTT connection", detail);
  return warning("MQTT connection", detail, "Without QoS 1 messages can be lost: use another broker, or allow QoS 1.");
}

function session({ connack }: ProbeConnection): Finding {
  if (connack.sessionPresent) return ok("MQTT session", "kept by the broker between connections");
  const advice = "Let the broker keep sessions: otherwise messages are lost while the bridge is away.";
  return failed("MQTT session", "not kept by the broker between connections", advice);
}

interface ProbeTopic {
  topic: string;
  isChosen: boolean;
}

const within = <T>(work: Promise<T>) =>
  withDeadline(work, ANSWER_MS, () => new Error(`no answer within ${ANSWER_MS / 1_000} s`));

/** Resolves when the message arrives. */
function received({ client }: Connection, { topic, payload, isRetained }: Arrival): Promise<void> {
  return new Promise((resolve) =>
    client.on("message", (at, bytes, packet) => {
      if (at === topic && bytes.toString() === payload && packet.retain === isRetained) resolve();
    }),
  );
}

interface Arrival {
  topic: string;
  payload: string;
  isRetained: boolean;
}

/** Subscribes, publishes and receives. Nothing is retained: that would replace the retained message of the topic. */
async function tryTopic({ connection }: ProbeConnection, target: ProbeTopic): Promise<Finding[]> {
  const { topic } = target;
  const { client } = connection;
  const refuse = (check: string, detail: string) => refusal(check, detail, target);
  const payload = `causeway doctor ${randomBytes(8).toString("hex")}`;
  const findings: Finding[] = [];
  try {
    const [grant] = await within(client.subscribeAsync(topic, { qos: 2 }));
    if (!grant || grant.qos > 2) throw new Error("refused");
    findings.push(ok("MQTT subscribe", `${topic} is granted with QoS ${grant.qos}`));
  } catch (error) {
    return [refuse("MQTT subscribe", `${topic}: ${(error as Error).message}`)];
  }
  const arrived = received(connection, { topic, payload, isRetained: false });
  try {
    await within(client.publishAsync(topic, payload, { qos: 1 }));
    // With MQTT 3.1.1 a broker acknowledges messages that it drops.
    await within(arrived);
    findings.push(ok("MQTT publish", `${topic} is published and received`));
  } catch (error) {
    findings.push(refuse("MQTT publish", `${topic}: ${(error as Error).message}`));
  }
  await within(client.unsubscribeAsync(topic)).catch(() => undefined);
  return findings;
}

/** Retains a message on the program's own topic, reads it and removes it. */
async function tryRetained({ connection }: ProbeConnection): Promise<Finding> {
  const { client } = connection;
  const payload = `causeway doctor ${randomBytes(8).toString("hex")}`;
  const arrived = received(connection, { topic: DEFAULT_TOPIC, payload, isRetained: true });
  try {
    await within(client.publishAsync(DEFAULT_TOPIC, payload, { qos: 1, retain: true }));
    await within(client.subscribeAsync(DEFAULT_TOPIC, { qos: 1 }));
    await within(arrived);
    return ok("MQTT retained", "retained messages are kept");
  } catch (error) {
    const advice = "Allow retained messages on this topic at the broker, if you use them.";
    return warning("MQTT retained", `${DEFAULT_TOPIC}: ${(error as Error).message}`, advice);
  } finally {
    await within(client.publishAsync(DEFAULT_TOPIC, "", { qos: 1, retain: true })).catch(() => undefined);
  }
}

/** The default topic may be outside of what the bridge is allowed to use: a refusal there proves nothing. */
function refusal(check: string, detail: string, { isChosen }: ProbeTopic): Finding {
  if (isChosen) return failed(check, detail, "Allow this topic for the bridge's account in the broker's access rules.");
  return warning(check, detail, "Name a topic that the bridge may use: causeway doctor --topic TOPIC");
}
