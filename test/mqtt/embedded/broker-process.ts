/** The embedded broker in a process of its own, so that a test can kill it. Arguments: data directory, port. */
import { startBroker } from "./start-broker.ts";

const [dataDir, port] = process.argv.slice(2) as [string, string];
const broker = await startBroker({ port: Number(port), dataDir });
console.log(`listening on ${broker.url}`);
