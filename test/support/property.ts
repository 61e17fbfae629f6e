/** fast-check with the seed of this run. A failure names it; some properties take `RUNS`, their number of cases. */
import fc from "fast-check";
import { seed } from "./seed.ts";

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });

export default fc;
