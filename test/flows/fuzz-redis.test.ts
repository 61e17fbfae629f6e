import { fuzzShortly } from "../fuzz/short-run.ts";

fuzzShortly("redis", "mosquitto");
