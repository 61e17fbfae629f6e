/** Writes notes and prints each number when its call is acknowledged, until it is killed. Arguments: file, count. */
import { writeSync } from "node:fs";
import { Engine } from "../../../src/bullmq-sqlite/index.ts";
import { testModule } from "../../support/program.ts";

const [file, count] = process.argv.slice(2) as [string, string];
const engine = await Engine.open({ file, modules: [testModule(new URL("procedures.ts", import.meta.url))] });
writeSync(1, "open\n");
for (let n = 1; n <= Number(count); n += 1) {
  await engine.call("test.write", String(n));
  writeSync(1, `acknowledged ${n}\n`);
}
await engine.close();
