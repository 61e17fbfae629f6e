/** Process that evaluates an endless expression until it is killed. */
import { createSandbox } from "../../../src/uplink/expressions/sandbox.ts";

const expressions = createSandbox({ maxPayloadBytes: 1_000 });
await expressions.evaluate("wh_1", { transform: "1" }, "null");
void expressions.evaluate("wh_1", { transform: process.argv[2]! }, "null");
process.stdout.write("busy\n");
