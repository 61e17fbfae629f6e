import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, describe, it } from "node:test";
import { ConfigError, loadConfig, redactUrl } from "../../src/config/config.ts";
import { rules } from "../../src/config/variables.ts";
import { requireOrSkip } from "../support/requirements.ts";

const dir = mkdtempSync(join(tmpdir(), "causeway-config-"));
after(() => rmSync(dir, { recursive: true }));

const SVG = '<?xml version="1.0"?>\n<!-- a logo -->\n<svg xmlns="http://www.w3.org/2000/svg"/>';
const LOGO = fileOf("logo.svg", SVG);
const PNG = Buffer.from("89504e470d0a1a0a", "hex");

function fileOf(name: string, content: string | Buffer): string {
  writeFileSync(join(dir, name), content);
  return join(dir, name);
}

type Env = Record<string, string>;

const load = (env: Env) => loadConfig(env, { envFile: false });

function mistakesOf(env: Env): { name: string; message: string }[] {
  try {
    load(env);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return [...error.errors];
  }
  return [];
}

const namesOf = (env: Env) => mistakesOf(env).map(({ name }) => name);

describe("configuration", () => {
  it("has a default for everything", () => {
    assert.deepEqual(load({}), {
      http: { host: "127.0.0.1", port: 8080, corsOrigins: [], embedOrigins: [], basePath: "", trustProxy: false },
      portal: {},
      apiKey: undefined,
      apiKeyFile: undefined,
      dataDir: resolve("data"),
      logLevel: "info",
      mqtt: {
        url: undefined,
        username: undefined,
        password: undefined,
        ca: undefined,
        cert: undefined,
        key: undefined,
        alpn: undefined,
        protocol: "auto",
        clientId: "causeway",
      },
      broker: { host: "127.0.0.1", port: 1883, username: undefined, password: undefined },
      storeUrl: undefined,
      storeSync: "full",
      storeReset: false,
      secretsKeys: [],
      roles: ["api", "uplink", "delivery"],
      webhookAllowNetworks: ["127.0.0.0/8", "::1/128"],
      maxPayloadBytes: 262_144,
      maxPendingRequests: 10_000,
      maxWaitingDeliveries: 100_000,
      eventSource: "/causeway",
      publicUrl: undefined,
    });
  });

  it("reads every variable", () => {
    const config = load({
      HOST: "::",
      PORT: "0",
      API_KEY: "a-key-of-24-characters!!",
      DATA_DIR: "/var/lib/causeway",
      LOG_LEVEL: "debug",
      MQTT_URL: "ws://broker:8083/mqtt",
      MQTT_USERNAME: "bridge",
      MQTT_PASSWORD: "p",
      MQTT_PROTOCOL: "3.1.1",
      MQTT_CLIENT_ID: "causeway-2",
      BROKER_HOST: "::1",
      BROKER_PORT: "0",
      BROKER_USERNAME: "device",
      BROKER_PASSWORD: "q",
      STORE_URL: "rediss://u:p@redis:6380/1",
      STORE_SYNC: "normal",
      STORE_RESET: "accept",
      SECRETS_KEY: `${"n".repeat(32)}, ${"o".repeat(44)}`,
      ROLES: " delivery, api,uplink ",
      WEBHOOK_ALLOW_NETWORKS: "10.0.0.0/8, fd00::/8",
      MAX_PAYLOAD_BYTES: "16777216",
      EVENT_SOURCE: "urn:example:site-1",
      PUBLIC_URL: "https://example.com/causeway/",
      CORS_ORIGINS: "https://app.example.com, http://localhost:5173",
      EMBED_ORIGINS: "https://app.example.com,http://localhost:5173",
      PORTAL_LOGO: LOGO,
      PORTAL_ACCENT: "#0A7D5C",
      BASE_PATH: "/iot/site-1/",
      TRUST_PROXY: "true",
    });
    assert.deepEqual(config, {
      http: {
        host: "::",
        port: 0,
        corsOrigins: ["https://app.example.com", "http://localhost:5173"],
        embedOrigins: ["https://app.example.com", "http://localhost:5173"],
        basePath: "/iot/site-1",
        trustProxy: true,
      },
      portal: { logo: { path: LOGO, mediaType: "image/svg+xml", base64: btoa(SVG) }, accent: "#0a7d5c" },
      apiKey: "a-key-of-24-characters!!",
      apiKeyFile: undefined,
      dataDir: "/var/lib/causeway",
      logLevel: "debug",
      mqtt: {
        url: "ws://broker:8083/mqtt",
        username: "bridge",
        password: "p",
        ca: undefined,
        cert: undefined,
        key: undefined,
        alpn: undefined,
        protocol: "3.1.1",
        clientId: "causeway-2",
      },
      broker: { host: "::1", port: 0, username: "device", password: "q" },
      storeUrl: "rediss://u:p@redis:6380/1",
      storeSync: "normal",
      storeReset: true,
      secretsKeys: ["n".repeat(32), "o".repeat(44)],
      roles: ["api", "uplink", "delivery"],
      webhookAllowNetworks: ["10.0.0.0/8", "fd00::/8"],
      maxPayloadBytes: 16_777_216,
      maxPendingRequests: 10_000,
      maxWaitingDeliveries: 100_000,
      eventSource: "urn:example:site-1",
      publicUrl: "https://example.com/causeway",
    });
  });

  it("appends BASE_PATH to a PUBLIC_URL without a path", () => {
    const urlOf = (env: Env) => load(env).publicUrl;
    assert.equal(urlOf({ PUBLIC_URL: "https://example.com", BASE_PATH: "/iot" }), "https://example.com/iot");
    assert.equal(urlOf({ PUBLIC_URL: "https://example.com/", BASE_PATH: "/iot/" }), "https://example.com/iot");
    assert.equal(urlOf({ PUBLIC_URL: "https://example.com/x", BASE_PATH: "/iot" }), "https://example.com/x");
    assert.equal(urlOf({ PUBLIC_URL: "https://example.com/" }), "https://example.com");
  });

  it("has the documents of CONFIG_DIR, with its own variables in their references", () => {
    const folder = mkdtempSync(join(dir, "documents-"));
    writeFileSync(join(folder, "a.yaml"), `kind: Webhook\nexternalId: a\nname: null\nurl: "\${env:RECEIVER}"`);
    assert.deepEqual(load({ CONFIG_DIR: folder, RECEIVER: "http://r" }).configuration, {
      folder,
      documents: [{ kind: "Webhook", identity: "a", fields: { externalId: "a", name: null, url: "http://r" } }],
    });
    assert.deepEqual(mistakesOf({ CONFIG_DIR: folder }), [
      {
        name: "CONFIG_DIR",
        message: `${join(folder, "a.yaml")}, document 1: url: the environment variable RECEIVER is not set`,
      },
    ]);
  });

  it("is deeply frozen", () => {
    const config = load({});
    assert.throws(() => Object.assign(config, { apiKey: "x" }), TypeError);
    assert.throws(() => Object.assign(config.mqtt, { url: "x" }), TypeError);
    assert.throws(() => (config.webhookAllowNetworks as string[]).push("x"), TypeError);
  });

  it("allows webhooks to call loopback only while broker and store are embedded", () => {
    assert.deepEqual(load({ WEBHOOK_ALLOW_NETWORKS: "10.0.0.0/8" }).webhookAllowNetworks, [
      "127.0.0.0/8",
      "::1/128",
      "10.0.0.0/8",
    ]);
    assert.deepEqual(load({ MQTT_URL: "mqtt://b" }).webhookAllowNetworks, []);
    assert.deepEqual(load({ STORE_URL: "redis://r" }).webhookAllowNetworks, []);
  });

  it("takes user name and password from MQTT_URL; the variables take precedence", () => {
    const inUrl = load({ MQTT_URL: "mqtts://me:s%40crt@broker:8883" }).mqtt;
    assert.deepEqual([inUrl.url, inUrl.username, inUrl.password], ["mqtts://broker:8883", "me", "s@crt"]);
    const both = load({ MQTT_URL: "mqtt://me:x@broker", MQTT_USERNAME: "you", MQTT_PASSWORD: "y" }).mqtt;
    assert.deepEqual([both.url, both.username, both.password], ["mqtt://broker", "you", "y"]);
  });

  const accepted: [name: string, env: Env][] = [
    ["an empty string is as good as none", { PORT: "", LOG_LEVEL: "", MQTT_PASSWORD: "", BROKER_HOST: "" }],
    ["BROKER_HOST localhost", { BROKER_HOST: "localhost" }],
    ["BROKER_HOST 127.1.2.3", { BROKER_HOST: "127.1.2.3" }],
    ["BROKER_HOST open, with credentials", { BROKER_HOST: "0.0.0.0", BROKER_USERNAME: "d", BROKER_PASSWORD: "p" }],
    ["BROKER_HOST open, but the broker is another one", { BROKER_HOST: "0.0.0.0", MQTT_URL: "mqtt://b" }],
    ["MQTT_CLIENT_ID of 40 characters", { MQTT_CLIENT_ID: "c".repeat(40) }],
    ["MAX_PAYLOAD_BYTES 1", { MAX_PAYLOAD_BYTES: "1" }],
    ["EVENT_SOURCE as a URL", { EVENT_SOURCE: "https://example.com/a%20b?c#d" }],
    ["STORE_URL without a database", { STORE_URL: "redis://:pw@h:6379" }],
    ["BASE_PATH /", { BASE_PATH: "/" }],
    ["PORTAL_LOGO with a PNG", { PORTAL_LOGO: fileOf("logo.png", PNG) }],
    ["PORTAL_LOGO of another process", { PORTAL_LOGO: "/no/such", ROLES: "delivery", STORE_URL: "redis://h" }],
    ["PORTAL_ACCENT in lower case", { PORTAL_ACCENT: "#abcdef" }],
    ["EMBED_ORIGINS with a port", { EMBED_ORIGINS: "http://[::1]:3000" }],
    ["CORS_ORIGINS of every kind", { CORS_ORIGINS: "http://[::1]:3000,capacitor://localhost,https://xn--kche-0ra.de" }],
    ["CONFIG_DIR that is empty", { CONFIG_DIR: mkdtempSync(join(dir, "empty-")) }],
    ["CONFIG_DIR of another process", { CONFIG_DIR: "/no/such", ROLES: "delivery", STORE_URL: "redis://h" }],
    ["a password in the URL, its user in a variable", { MQTT_URL: "mqtt://:pw@b", MQTT_USERNAME: "u" }],
  ];
  for (const [name, env] of accepted) it(`accepts: ${name}`, () => assert.deepEqual(mistakesOf(env), []));

  const refused: [env: Env, ...names: string[]][] = [
    [{ HOST: "http://x" }, "HOST"],
    [{ PORT: "65536" }, "PORT"],
    [{ PORT: "-1" }, "PORT"],
    [{ PORT: "80a" }, "PORT"],
    [{ PORT: "80.5" }, "PORT"],
    [{ API_KEY: "fifteen-letters" }, "API_KEY"],
    [{ API_KEY: "sixteen letters and white space" }, "API_KEY"],
    [{ API_KEY: "schlüsselschlüssel" }, "API_KEY"],
    [{ CONFIG_DIR: "/no/such" }, "CONFIG_DIR"],
    [{ LOG_LEVEL: "verbose" }, "LOG_LEVEL"],
    [{ MQTT_URL: "broker:1883" }, "MQTT_URL"],
    [{ MQTT_URL: "http://broker" }, "MQTT_URL"],
    [{ MQTT_URL: "mqtt:///path" }, "MQTT_URL"],
    [{ MQTT_URL: "mqtt://broker:99999" }, "MQTT_URL"],
    [{ MQTT_PASSWORD: "p" }, "MQTT_USERNAME"],
    [{ MQTT_URL: "mqtt://:p@broker" }, "MQTT_USERNAME"],
    [{ MQTT_USERNAME: "a\nb" }, "MQTT_USERNAME"],
    [{ MQTT_PROTOCOL: "4" }, "MQTT_PROTOCOL"],
    [{ MQTT_CLIENT_ID: "c".repeat(41) }, "MQTT_CLIENT_ID"],
    [{ MQTT_CLIENT_ID: "a/b" }, "MQTT_CLIENT_ID"],
    [{ BROKER_HOST: "0.0.0.0" }, "BROKER_USERNAME", "BROKER_PASSWORD"],
    [{ BROKER_HOST: "::", BROKER_PASSWORD: "p" }, "BROKER_USERNAME"],
    [{ BROKER_HOST: "pi.local", BROKER_USERNAME: "u" }, "BROKER_PASSWORD"],
    [{ BROKER_PORT: "65536" }, "BROKER_PORT"],
    [{ STORE_URL: "postgres://h/db" }, "STORE_URL"],
    [{ STORE_URL: "redis://h/db" }, "STORE_URL"],
    [{ STORE_SYNC: "off" }, "STORE_SYNC"],
    [{ STORE_RESET: "yes" }, "STORE_RESET"],
    [{ SECRETS_KEY: "k".repeat(31) }, "SECRETS_KEY"],
    [{ SECRETS_KEY: `${"k".repeat(32)},short` }, "SECRETS_KEY"],
    [{ SECRETS_KEY: `${"k".repeat(20)} ${"k".repeat(20)}` }, "SECRETS_KEY"],
    [{ SECRETS_KEY: "," }, "SECRETS_KEY"],
    [{ ROLES: "api" }, "ROLES"],
    [{ ROLES: "api,uplink" }, "ROLES"],
    [{ ROLES: "delivery", MQTT_URL: "mqtt://h" }, "ROLES"],
    [{ ROLES: "uplink", STORE_URL: "redis://h" }, "ROLES"],
    [{ ROLES: "api,delivery", STORE_URL: "redis://h" }, "ROLES"],
    [{ ROLES: ",", STORE_URL: "redis://h" }, "ROLES"],
    [{ ROLES: "API", STORE_URL: "redis://h" }, "ROLES"],
    [{ ROLES: "api,uplink,delivery,broker" }, "ROLES"],
    [{ WEBHOOK_ALLOW_NETWORKS: "10.0.0.1" }, "WEBHOOK_ALLOW_NETWORKS"],
    [{ WEBHOOK_ALLOW_NETWORKS: "10.0.0.0/33" }, "WEBHOOK_ALLOW_NETWORKS"],
    [{ WEBHOOK_ALLOW_NETWORKS: "010.0.0.0/8" }, "WEBHOOK_ALLOW_NETWORKS"],
    [{ WEBHOOK_ALLOW_NETWORKS: "fe80::%eth0/64" }, "WEBHOOK_ALLOW_NETWORKS"],
    [{ WEBHOOK_ALLOW_NETWORKS: "10.0.0.0/8,example.com" }, "WEBHOOK_ALLOW_NETWORKS"],
    [{ MAX_PAYLOAD_BYTES: "0" }, "MAX_PAYLOAD_BYTES"],
    [{ MAX_PAYLOAD_BYTES: "16777217" }, "MAX_PAYLOAD_BYTES"],
    [{ EVENT_SOURCE: "two words" }, "EVENT_SOURCE"],
    [{ EVENT_SOURCE: "/100%" }, "EVENT_SOURCE"],
    [{ PUBLIC_URL: "causeway.example.com" }, "PUBLIC_URL"],
    [{ PUBLIC_URL: "https://me:pw@example.com" }, "PUBLIC_URL"],
    [{ PUBLIC_URL: "https://example.com/?a=b" }, "PUBLIC_URL"],
    [{ CORS_ORIGINS: "*" }, "CORS_ORIGINS"],
    [{ EMBED_ORIGINS: "*" }, "EMBED_ORIGINS"],
    [{ EMBED_ORIGINS: "'self'" }, "EMBED_ORIGINS"],
    [{ EMBED_ORIGINS: "https://*.example.com" }, "EMBED_ORIGINS"],
    [{ EMBED_ORIGINS: "https://a.example.com; script-src *" }, "EMBED_ORIGINS"],
    [{ EMBED_ORIGINS: "capacitor://localhost" }, "EMBED_ORIGINS"],
    [{ PORTAL_LOGO: "/no/such" }, "PORTAL_LOGO"],
    [{ PORTAL_LOGO: fileOf("page.svg", "<html><svg></svg></html>") }, "PORTAL_LOGO"],
    [{ PORTAL_LOGO: fileOf("large.png", Buffer.concat([PNG, Buffer.alloc(65_536)])) }, "PORTAL_LOGO"],
    [{ PORTAL_ACCENT: "teal" }, "PORTAL_ACCENT"],
    [{ PORTAL_ACCENT: "#fff" }, "PORTAL_ACCENT"],
    [{ PORTAL_ACCENT: "#0a7d5c;}" }, "PORTAL_ACCENT"],
    [{ BASE_PATH: "iot" }, "BASE_PATH"],
    [{ BASE_PATH: "//iot" }, "BASE_PATH"],
    [{ BASE_PATH: "/a/../b" }, "BASE_PATH"],
    [{ BASE_PATH: "/v1" }, "BASE_PATH"],
    [{ BASE_PATH: "/käse" }, "BASE_PATH"],
    [{ TRUST_PROXY: "1" }, "TRUST_PROXY"],
    [{ CORS_ORIGINS: "null" }, "CORS_ORIGINS"],
    [{ CORS_ORIGINS: "https://*.example.com" }, "CORS_ORIGINS"],
    [{ CORS_ORIGINS: "https://example.com/" }, "CORS_ORIGINS"],
    [{ CORS_ORIGINS: "https://example.com:443" }, "CORS_ORIGINS"],
    [{ CORS_ORIGINS: "https://Example.com" }, "CORS_ORIGINS"],
    [{ CORS_ORIGINS: "https://a.example.com,b.example.com" }, "CORS_ORIGINS"],
  ];
  for (const [env, ...names] of refused) {
    it(`refuses ${JSON.stringify(env)}`, () => assert.deepEqual(namesOf(env), names));
  }

  it("accepts each role once when several processes share store and broker", () => {
    for (const [ROLES, roles, servers] of [
      ["delivery", ["delivery"], { STORE_URL: "redis://h" }],
      ["uplink , api", ["api", "uplink"], { STORE_URL: "redis://h" }],
      ["uplink,uplink", ["uplink"], { STORE_URL: "redis://h", MQTT_URL: "mqtt://h" }],
      ["delivery,api", ["api", "delivery"], { STORE_URL: "redis://h", MQTT_URL: "mqtt://h" }],
      ["delivery,api,uplink", ["api", "uplink", "delivery"], {}],
    ] as const) {
      assert.deepEqual(load({ ROLES, ...servers }).roles, roles);
    }
  });

  it("explains the requirements of split roles", () => {
    const message = (env: Env) => mistakesOf(env)[0]!.message;
    assert.match(message({ ROLES: "api" }), /must be api,uplink,delivery without STORE_URL: .* need STORE_URL$/);
    assert.match(message({ ROLES: "api", STORE_URL: "redis://h" }), /without MQTT_URL: .* need MQTT_URL$/);
  });

  it("lists every mistake at once, in the order of the table, each with the expected value", () => {
    const mistakes = mistakesOf({
      EVENT_SOURCE: " ",
      PORT: "http",
      LOG_LEVEL: "loud",
      MQTT_URL: "tcp://broker",
      MQTT_PASSWORD: "p",
      MQTT_CA: join(dir, "missing.pem"),
      MQTT_PROTOCOL: "6",
      STORE_URL: "localhost",
      ROLES: "downlink",
    });
    assert.deepEqual(
      mistakes.map(({ name }) => name),
      [
        "PORT",
        "LOG_LEVEL",
        "MQTT_URL",
        "MQTT_USERNAME",
        "MQTT_CA",
        "MQTT_PROTOCOL",
        "STORE_URL",
        "ROLES",
        "EVENT_SOURCE",
      ],
    );
    assert.deepEqual(mistakes[0], { name: "PORT", message: "must be a whole number from 0 to 65535" });
    assert.deepEqual(mistakes[1], {
      name: "LOG_LEVEL",
      message: "must be one of trace, debug, info, warn, error, fatal, silent",
    });
  });

  it("never shows a value: it could be a secret, or a secret in the wrong variable", () => {
    const secret = "hunter2 hunter2";
    const env: Env = Object.fromEntries(
      [
        "API_KEY",
        "MQTT_URL",
        "MQTT_KEY",
        "MQTT_CERT",
        "MQTT_CA",
        "STORE_URL",
        "SECRETS_KEY",
        "PUBLIC_URL",
        "LOG_LEVEL",
        "PORT",
        "HOST",
        "ROLES",
      ].map((name) => [name, secret]),
    );
    for (const name of ["MQTT_USERNAME", "MQTT_PASSWORD", "BROKER_PASSWORD"]) env[name] = `${secret}\n`;
    for (const values of [env, { STORE_URL: "redis://u:hunter2@h/db" }, { MQTT_URL: "tcp://u:hunter2@h" }]) {
      assert.ok(mistakesOf(values).length > 0);
      assert.throws(
        () => load(values),
        (error: ConfigError) => !`${error.stack}${JSON.stringify(error)}`.includes("hunter2"),
      );
    }
  });
});

describe("secrets in files", () => {
  const file = (name: string, content: string) => {
    const path = join(dir, name);
    writeFileSync(path, content);
    return path;
  };

  it("are read without the trailing newline, each variable from a file of its own", () => {
    const config = load({
      API_KEY_FILE: file("api-key", "a-key-of-24-characters!!\n"),
      MQTT_USERNAME: "bridge",
      MQTT_PASSWORD_FILE: file("mqtt-password", " with spaces \r\n"),
      BROKER_USERNAME: "device",
      BROKER_PASSWORD_FILE: file("broker-password", "without-newline"),
      STORE_URL_FILE: file("store-url", "redis://:pw@redis:6379\n"),
      SECRETS_KEY_FILE: file("secrets-key", `${"n".repeat(32)},${"o".repeat(32)}\n`),
    });
    assert.equal(config.apiKey, "a-key-of-24-characters!!");
    assert.equal(config.apiKeyFile, join(dir, "api-key"));
    assert.equal(config.mqtt.password, " with spaces ");
    assert.equal(config.broker.password, "without-newline");
    assert.equal(config.storeUrl, "redis://:pw@redis:6379");
    assert.deepEqual(config.secretsKeys, ["n".repeat(32), "o".repeat(32)]);
  });

  it("win over a password in MQTT_URL, as MQTT_PASSWORD does", () => {
    const env = { MQTT_URL: "mqtt://me:x@broker", MQTT_PASSWORD_FILE: file("wins", "y\n") };
    assert.equal(load(env).mqtt.password, "y");
  });

  it("must not be given together with the variable itself", () => {
    const mistakes = mistakesOf({ API_KEY: "k".repeat(16), API_KEY_FILE: file("both", "k".repeat(16)) });
    assert.deepEqual(mistakes, [{ name: "API_KEY_FILE", message: "must not be given together with API_KEY" }]);
  });

  it("are reported once, with the path, when a file is missing, empty or a directory", () => {
    const missing = join(dir, "missing");
    const empty = file("empty", "\n");
    assert.deepEqual(
      mistakesOf({
        BROKER_USERNAME: "device",
        BROKER_PASSWORD_FILE: missing,
        API_KEY_FILE: empty,
        SECRETS_KEY_FILE: dir,
      }),
      [
        { name: "API_KEY_FILE", message: `the file ${empty} is empty` },
        { name: "BROKER_PASSWORD_FILE", message: `the file ${missing} cannot be read (ENOENT)` },
        { name: "SECRETS_KEY_FILE", message: `the file ${dir} cannot be read (EISDIR)` },
      ],
    );
  });

  it("are checked like the variable, and no message shows their content", () => {
    const mistakes = mistakesOf({ API_KEY_FILE: file("short", "hunter2\n") });
    assert.deepEqual(mistakes, [
      {
        name: "API_KEY_FILE",
        message: "the content must be at least 16 printable ASCII characters without white space",
      },
    ]);
    assert.deepEqual(namesOf({ MQTT_USERNAME: "u", MQTT_PASSWORD_FILE: file("lines", "one\ntwo\n") }), [
      "MQTT_PASSWORD_FILE",
    ]);
  });
});

describe("the .env file", () => {
  const envFile = join(dir, ".env");
  writeFileSync(envFile, 'PORT=9000\nLOG_LEVEL="warn"\n# a comment\nAPI_KEY=\nHOST=0.0.0.0\n');

  it("is read, and the environment takes precedence", () => {
    const config = loadConfig({ PORT: "9001", HOST: "" }, { envFile });
    assert.deepEqual([config.http.host, config.http.port], ["0.0.0.0", 9001]);
    assert.equal(config.logLevel, "warn");
    assert.equal(config.apiKey, undefined);
  });

  it("may be missing but not unreadable", () => {
    assert.equal(loadConfig({}, { envFile: join(dir, "none") }).http.port, 8080);
    assert.throws(() => loadConfig({}, { envFile: dir }), {
      name: "ConfigError",
      message: `${dir}: cannot be read (EISDIR)`,
    });
  });

  it("has an example that names every variable and is valid with its lines uncommented", () => {
    const example = readFileSync(".env.example", "utf8").replace("/etc/causeway/logo.svg", LOGO);
    const opened = example.replaceAll(/^#(?=[A-Z_]+=)/gm, "");
    const named = [...opened.matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name);
    assert.deepEqual(named.sort(), Object.keys(rules).sort());
    const path = join(dir, "example.env");
    writeFileSync(path, opened);
    assert.doesNotThrow(() => loadConfig({}, { envFile: path }));
    writeFileSync(path, example);
    assert.deepEqual(loadConfig({}, { envFile: path }), loadConfig({}, { envFile: false }));
  });
});

describe("certificates", () => {
  const needsOpenssl = requireOrSkip("openssl");
  const url = { MQTT_URL: "mqtts://broker" };
  const certFile = join(dir, "cert.pem");
  const keyFile = join(dir, "key.pem");
  if (!needsOpenssl.skip) {
    const made = [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-subj",
      "/CN=test",
    ];
    execFileSync("openssl", [...made, "-keyout", keyFile, "-out", certFile], { stdio: "ignore" });
  }
  const read = (path: string) => readFileSync(path, "utf8");

  it("come from files", needsOpenssl, () => {
    const { mqtt } = load({ ...url, MQTT_CA: certFile, MQTT_CERT: certFile, MQTT_KEY: keyFile });
    assert.deepEqual([mqtt.ca, mqtt.cert, mqtt.key], [read(certFile), read(certFile), read(keyFile)]);
  });

  it("are given in the variables themselves, with line breaks or \\n", needsOpenssl, () => {
    const { mqtt } = load({ ...url, MQTT_CERT: read(certFile), MQTT_KEY: read(keyFile).replaceAll("\n", "\\n") });
    assert.deepEqual([mqtt.cert, mqtt.key], [read(certFile), read(keyFile)]);
  });

  it("require their key, and the key requires its certificate", needsOpenssl, () => {
    assert.deepEqual(namesOf({ ...url, MQTT_CERT: certFile }), ["MQTT_KEY"]);
    assert.deepEqual(namesOf({ ...url, MQTT_KEY: keyFile }), ["MQTT_CERT"]);
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const other = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    assert.deepEqual(mistakesOf({ ...url, MQTT_CERT: certFile, MQTT_KEY: other }), [
      { name: "MQTT_KEY", message: "is not the unencrypted key of MQTT_CERT" },
    ]);
  });

  it("are refused where they would have no effect", needsOpenssl, () => {
    assert.deepEqual(namesOf({ MQTT_URL: "mqtt://broker", MQTT_CA: certFile }), ["MQTT_CA"]);
    assert.deepEqual(namesOf({ MQTT_CA: certFile }), ["MQTT_CA"]);
  });

  it("can be combined with a protocol for the handshake", () => {
    assert.equal(load({ ...url, MQTT_ALPN: "x-amzn-mqtt-ca" }).mqtt.alpn, "x-amzn-mqtt-ca");
    for (const wrong of ["a b", "a,b", "é", "x".repeat(256)]) {
      assert.deepEqual(namesOf({ ...url, MQTT_ALPN: wrong }), ["MQTT_ALPN"], wrong);
    }
    assert.deepEqual(namesOf({ MQTT_URL: "wss://broker", MQTT_ALPN: "mqtt" }), ["MQTT_ALPN"]);
    assert.deepEqual(namesOf({ MQTT_ALPN: "mqtt" }), ["MQTT_ALPN"]);
  });

  it("are refused when missing, not PEM or not a certificate", () => {
    assert.match(mistakesOf({ ...url, MQTT_CA: join(dir, "none.pem") })[0]?.message ?? "", /ENOENT/);
    const noPem = join(dir, "no.pem");
    writeFileSync(noPem, "nothing");
    assert.match(mistakesOf({ ...url, MQTT_CA: noPem })[0]?.message ?? "", /no PEM block/);
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert.match(mistakesOf({ ...url, MQTT_CA: broken })[0]?.message ?? "", /no valid certificate/);
  });
});

describe("redactUrl", () => {
  const cases: [url: string, shown: string][] = [
    ["redis://user:secret@host:6379/1", "redis://host:6379/1"],
    ["rediss://:secret@host", "rediss://host"],
    ["redis://host/0?password=secret", "redis://host/0"],
    ["mqtt://me@broker:1883", "mqtt://broker:1883"],
    ["wss://a:b@broker/mqtt", "wss://broker/mqtt"],
    ["no url: secret", "(not a URL)"],
  ];
  for (const [url, shown] of cases) it(url, () => assert.equal(redactUrl(url), shown));
});

it("config/config.ts is the only file of the bridge that reads process.env", () => {
  const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const reads = (file: string) =>
    /process\.env\b|\benv\b.*from "node:process"/.test(readFileSync(join("src", file), "utf8"));
  // The demo is a separate program that passes an environment to the bridge it starts.
  assert.deepEqual(files.filter(reads).sort(), ["cli/cli.ts", "config/config.ts", "demo/demo.ts"]);
});
