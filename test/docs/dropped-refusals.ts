/** Sample for refusals.test.ts. */
import { Refused } from "../../src/errors.ts";

const check = (): Refused | undefined => new Refused("not_found", "there is none");
const read = async (): Promise<object | Refused> => check() ?? {};

export async function drops(): Promise<Refused | undefined> {
  check();
  await read();
  return check();
}
