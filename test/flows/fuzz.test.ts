import { fuzzShortly } from "../fuzz/short-run.ts";

fuzzShortly("embedded", "embedded");
