/** Serves the dashboard: static files that call the API as every other client does. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import helmet from "@fastify/helmet";
import files from "@fastify/static";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

/** Beside this module in the built program; in the sources, where the last build left it. */
const FOLDERS = ["../dashboard/", "../../dist/dashboard/"].map((path) => fileURLToPath(new URL(path, import.meta.url)));

/** Addresses of the pages, which the dashboard itself tells apart. */
const PAGES = [
  "/",
  "/webhooks",
  "/webhooks/*",
  "/workbench",
  "/deliveries",
  "/messages/*",
  "/live",
  "/keys",
  "/hooks",
  "/settings",
  "/portal",
];

/** An SVG may contain script: opened by itself, the image has an origin of its own and runs none. */
export const PORTAL_LOGO_PATH = "/portal/logo";
const LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

export interface DashboardOptions {
  /** Origins whose pages may show the dashboard in a frame. */
  embedOrigins?: readonly string[] | undefined;
  /** Image of the pages in portal sessions. */
  portalLogo?: { mediaType: string; base64: string } | undefined;
}

/** Names of built files change with their content. */
const IMMUTABLE = "public, max-age=31536000, immutable";

/**
 * Serves the pages without authentication: they hold no data. Without a build, `/` leads to the documentation.
 * @param app a scope of its own, which gets the security headers of the dashboard
 */
export async function serveDashboard(
  app: FastifyInstance,
  { embedOrigins = [], portalLogo }: DashboardOptions = {},
): Promise<void> {
  const open = { config: { open: true } };
  const folder = FOLDERS.find((one) => existsSync(`${one}index.html`));
  if (folder === undefined) {
    // Relative without a known prefix: a proxy that is not trusted may have removed one.
    app.get("/", open, ({ external: { prefix } }, reply) => reply.redirect(prefix === "" ? "docs" : `${prefix}/docs`));
    return;
  }
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'"],
        baseUri: ["'self'"],
        formAction: ["'none'"],
        frameAncestors: embedOrigins.length > 0 ? [...embedOrigins] : ["'none'"],
      },
    },
    // Knows no list of origins; every browser that counts obeys frame-ancestors.
    xFrameOptions: embedOrigins.length > 0 ? false : { action: "deny" },
    // The bridge speaks plain HTTP; HSTS is up to the TLS proxy in front of it.
    strictTransportSecurity: false,
  });
  const html = readFileSync(`${folder}index.html`, "utf8");
  const page = ({ external: { prefix } }: FastifyRequest, reply: FastifyReply) =>
    reply
      .type("text/html; charset=utf-8")
      .header("cache-control", "no-cache")
      .send(prefix === "" ? html : html.replace('<base href="/">', `<base href="${prefix}/">`));
  for (const path of PAGES) app.get(path, open, page);
  if (portalLogo) serveLogo(app, portalLogo);
  await app.register(files, { root: folder, serve: false, preCompressed: true });
  app.get("/icon.svg", open, (_request, reply) => reply.sendFile("icon.svg", { maxAge: "1h" }));
  for (const name of readdirSync(`${folder}assets`)) {
    if (name.endsWith(".gz")) continue;
    app.get(`/assets/${name}`, open, (_request, reply) =>
      reply.sendFile(`assets/${name}`, { cacheControl: false }).header("cache-control", IMMUTABLE),
    );
  }
}

function serveLogo(app: FastifyInstance, { mediaType, base64 }: NonNullable<DashboardOptions["portalLogo"]>): void {
  const bytes = Buffer.from(base64, "base64");
  app.get(PORTAL_LOGO_PATH, { config: { open: true } }, (_request, reply) =>
    reply
      .type(mediaType)
      .header("content-security-policy", LOGO_POLICY)
      .header("cache-control", "public, max-age=3600")
      .send(bytes),
  );
}
