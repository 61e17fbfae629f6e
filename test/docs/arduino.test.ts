/** The sketch of docs/recipes/esp32.md is valid C++ for the declared libraries. It is not compiled for the board. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { temporaryDirectory } from "../support/directories.ts";
import { startProcess } from "../support/processes.ts";
import { findProgram } from "../support/requirements.ts";
import { blocks, ROOT, read } from "./pages.ts";

// Not asked of CI: no other test needs a C++ compiler.
const skip = findProgram("g++") === undefined && "not installed: g++";
const WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"];

for (const { notes, code } of blocks(read("docs/recipes/esp32.md")).filter(({ language }) => language === "cpp")) {
  it(`${notes} is valid`, { skip }, async () => {
    const file = join(temporaryDirectory("arduino"), "sketch.cpp");
    writeFileSync(file, `#include <Arduino.h>\n${code}`);
    const include = join(ROOT, "test/docs/arduino");
    const check = startProcess("g++", ["-fsyntax-only", "-std=gnu++17", ...WARNINGS, "-I", include, file]);
    assert.deepEqual([await check.exited, check.output], [{ code: 0, signal: null }, ""]);
  });
}
