/** `npm run build`: compiles the program and bundles it, and builds the dashboard at the same time. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Rejects unless the program ends with 0; its output is this process's. */
function run(...args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    spawn(process.execPath, args, { cwd: ROOT, stdio: "inherit" }).once("exit", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${args.join(" ")} ended with ${signal ?? code}`));
    });
  });
}

const compiled = run("node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json");
await Promise.all([
  compiled.then(() => run("--import", "tsx", "packaging/bundle.ts")),
  run("--import", "tsx", "packaging/dashboard.ts"),
]);
