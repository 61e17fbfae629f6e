/** The HTTP server: builds the app and listens. */
import type { FastifyInstance } from "fastify";
import { type AppOptions, buildApp } from "./app.ts";

export interface HttpServerOptions extends AppOptions {
  host: string;
  port: number;
}

export class HttpServer {
  #app: FastifyInstance | undefined;
  #address: string | undefined;

  constructor(private readonly options: HttpServerOptions) {}

  /** E.g. `http://127.0.0.1:8080`; undefined unless it listens. */
  get address(): string | undefined {
    return this.#address;
  }

  /** Where this process reaches its own API: not every system connects to the unspecified address. */
  get url(): string | undefined {
    return this.#address && this.#address.replace("//[::]:", "//[::1]:") + (this.options.basePath ?? "");
  }

  async start(): Promise<void> {
    const { host, port } = this.options;
    this.#app = await buildApp(this.options);
    this.#address = await this.#app.listen({ host, port });
  }

  /** Ends open connections; responses in progress are completed. */
  async stop(): Promise<void> {
    await this.#app?.close();
  }
}
