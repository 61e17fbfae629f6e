/** The embedded broker in a process of its own, so that a test can kill it. Arguments: data directory, port. */
import { startEmbeddedBroker } from "../../../src/mqtt/embedded/broker.ts";
import { memoryLog } from "../support.ts";

const [dataDir, port] = process.argv.slice(2) as [string, string];
const broker = await startEmbeddedBroker({ host: "127.0.0.1", port: Number(port), dataDir, log: memoryLog() });
console.log(`listening on ${broker.url}`);
