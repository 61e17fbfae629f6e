/** Serves the documents: the contract as YAML and JSON, and Swagger UI from local files. */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import helmet from "@fastify/helmet";
import files from "@fastify/static";
import type { FastifyInstance } from "fastify";
import type { OpenApi } from "./document.ts";

/** The only files of Swagger UI that are served: its own index page shows an unrelated demo. */
const ASSETS = ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"];

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Causeway API</title>
    <link rel="stylesheet" href="docs/assets/swagger-ui.css">
    <link rel="icon" type="image/png" href="docs/assets/favicon-32x32.png">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="docs/assets/swagger-ui-bundle.js"></script>
    <script src="docs/init.js"></script>
  </body>
</html>
`;

// A separate file, because the content security policy allows no inline scripts. The key is not kept in the browser.
const INIT = `window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
`;

/** The place of the only server in the document's texts. */
const JSON_SERVER = '"servers":[{"url":"/"';
const YAML_SERVER = "servers:\n  - url: /";

/** Serves `/docs`, `/openapi.json` and `/openapi.yaml` without authentication. */
export async function serveDocs(app: FastifyInstance, document: { yaml: string; openapi: OpenApi }): Promise<void> {
  const json = JSON.stringify(document.openapi);
  const { yaml } = document;
  const open = { config: { open: true } };
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        // Swagger UI sets style attributes and loads its icons from data: URLs.
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", "data:"],
        connectSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    // The bridge speaks plain HTTP; HSTS is up to the TLS proxy in front of it.
    strictTransportSecurity: false,
  });
  app.get("/docs", open, (_request, reply) => reply.type("text/html; charset=utf-8").send(PAGE));
  app.get("/docs/", open, (_request, reply) => reply.redirect("../docs"));
  app.get("/docs/init.js", open, (_request, reply) => reply.type("text/javascript; charset=utf-8").send(INIT));
  app.get("/openapi.json", open, ({ external: { prefix } }, reply) =>
    reply.type("application/json; charset=utf-8").send(prefix === "" ? json : withServer(json, JSON_SERVER, prefix)),
  );
  app.get("/openapi.yaml", open, ({ external: { prefix } }, reply) =>
    reply.type("application/yaml").send(prefix === "" ? yaml : withServer(yaml, YAML_SERVER, prefix)),
  );
  const root = dirname(createRequire(import.meta.url).resolve("@fastify/swagger-ui/static/swagger-ui-bundle.js"));
  await app.register(files, { root, serve: false });
  for (const name of ASSETS) app.get(`/docs/assets/${name}`, open, (_request, reply) => reply.sendFile(name));
}

/** Replaces the server's URL `/` with the path prefix. */
function withServer(text: string, server: string, prefix: string): string {
  return text.replace(server, server.replace(/\/(?="?$)/, prefix));
}
