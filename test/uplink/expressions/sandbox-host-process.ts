/** Process that evaluates an endless expression until it is killed. */
import { Sandbox } from "../../../src/uplink/expressions/sandbox.ts";

const expressions = new Sandbox({ maxPayloadBytes: 1_000 });
await expressions.evaluate("wh_1", { transform: "1" }, "null");
void expressions.evaluate("wh_1", { transform: process.argv[2]! }, "null");
process.stdout.write("busy\n");
