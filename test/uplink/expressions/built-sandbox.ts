/**
 * The sandbox as it is built, where it is: its processes, of which every hostile expression costs one, start several
 * times faster without the TypeScript loaders of this process, which they would inherit.
 */
import { IS_BUILT, importBuilt } from "../../support/program.ts";

type Module = typeof import("../../../src/uplink/expressions/sandbox.ts");

if (IS_BUILT) process.execArgv = [];
export const { FROM_API, Sandbox } = (await importBuilt("uplink/expressions/sandbox")) as Module;
