/** fast-check with the seed of this run. A failure names it; some properties take `RUNS`, their number of cases. */
import fc from "fast-check";
import { seed } from "./seed.ts";

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });

/**
 * Any code point but surrogates, for `fc.string({ unit })`. The unit `"binary"` is the same, but builds a map of all of
 * them for each arbitrary.
 */
export const codePoint = fc.integer({ min: 0, max: 0x10_f7_ff }).map(
  (index) => String.fromCodePoint(index < 0xd8_00 ? index : index + 0x8_00),
  (char) => {
    const code = typeof char === "string" ? char.codePointAt(0) : undefined;
    if (code === undefined || [...(char as string)].length !== 1) throw new Error("not one code point");
    return code < 0xd8_00 ? code : code - 0x8_00;
  },
);

export default fc;
