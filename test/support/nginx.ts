/** A separate real nginx per test, on a loopback port. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./directories.ts";
import { acceptsConnections } from "./ports.ts";
import { startProcess } from "./processes.ts";
import { findProgram } from "./requirements.ts";

export interface Nginx {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts nginx with the `location` blocks of one server. Resolves when it accepts connections. */
export async function startNginx(port: number, locations: string): Promise<Nginx> {
  const dir = temporaryDirectory("nginx");
  const configFile = join(dir, "nginx.conf");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${dir}/${name};`,
  );
  writeFileSync(
    configFile,
    `${process.getuid?.() === 0 ? "user root;" : ""}
    daemon off; worker_processes 1; pid ${dir}/nginx.pid; error_log stderr notice;
    events { worker_connections 256; }
    http {
      access_log off;
      ${temporary.join("\n")}
      proxy_http_version 1.1;
      proxy_buffering off;
      server { listen 127.0.0.1:${port}; ${locations} }
    }`,
  );
  const child = startProcess(findProgram("nginx")!, ["-p", dir, "-e", "stderr", "-c", configFile]);
  await acceptsConnections(port);
  return { url: `http://127.0.0.1:${port}`, stop: async () => void (await child.stop()) };
}
