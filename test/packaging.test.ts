/** Files around the program: each is read by its own parser and, if a suitable program is available, tried out. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { DockerfileParser, type JSONInstruction } from "dockerfile-ast";
import { validate } from "dockerfile-utils";
import { connect, connectAsync } from "mqtt";
import { parse } from "yaml";
import { loadConfig } from "../src/config/config.ts";
import { acceptsConnections, freePort } from "./support/ports.ts";
import { startProcess } from "./support/processes.ts";
import { requireOrSkip } from "./support/requirements.ts";

const read = (path: string) => readFileSync(path, "utf8");
const { scripts, ...manifest } = JSON.parse(read("package.json"));

const temporary = mkdtempSync(join(tmpdir(), "causeway-packaging-"));
after(() => rmSync(temporary, { recursive: true, force: true }));

describe("package.json", () => {
  it("states the licence of the LICENSE file", () => {
    assert.equal(manifest.license, "MIT");
    assert.match(read("LICENSE"), /^MIT License/);
  });

  it("pins every package", () => {
    for (const version of Object.values({ ...manifest.dependencies, ...manifest.devDependencies })) {
      assert.match(version as string, /^\d+\.\d+\.\d+/);
    }
  });

  it("has a lock file without host names, so that every registry works", () => {
    assert.doesNotMatch(read("package-lock.json"), /"resolved"/);
  });

  it("has a lock file for every platform: npm omits packages that a registry lacks, and `npm ci` then fails", () => {
    const packages: Record<string, { optionalDependencies?: object }> = JSON.parse(read("package-lock.json")).packages;
    for (const [path, { optionalDependencies = {} }] of Object.entries(packages)) {
      const missing = Object.keys(optionalDependencies).filter(
        (name) => !packages[`node_modules/${name}`] && !packages[`${path}/node_modules/${name}`],
      );
      assert.deepEqual(missing, [], path);
    }
  });

  it("builds on `npm ci` and starts node without a shell in between, which would swallow SIGTERM", () => {
    // The published package has no sources: there `npx .` and `npm install` have nothing to build.
    assert.match(scripts.prepare, /existsSync\('src'\) && .*execSync\('npm run build'/);
    for (const name of ["start", "demo", "bench", "test"]) assert.match(scripts[name], /^exec node /);
  });
});

describe("Dockerfile", () => {
  const text = read("Dockerfile");
  const instructions = DockerfileParser.parse(text)
    .getInstructions()
    .map((instruction) => ({
      keyword: instruction.getKeyword(),
      words: instruction.getArguments().map((argument) => argument.getValue()),
      flags: "getFlags" in instruction ? (instruction as JSONInstruction).getFlags().map(String) : [],
      content: instruction.getArgumentsContent() ?? "",
    }));
  const stages = instructions.flatMap(({ keyword }, i) => (keyword === "FROM" ? [i] : []));
  const final = instructions.slice(stages.at(-1));
  const valuesOf = (keyword: string) =>
    final.filter((each) => each.keyword === keyword).map(({ words }) => words.join(" "));
  /** The exec form: a JSON array, which follows the options of HEALTHCHECK. */
  const commandOf = (keyword: string): string[] =>
    JSON.parse(final.find((each) => each.keyword === keyword)!.content.replace(/^[^[]*/, ""));

  it("has no linter findings", () => assert.deepEqual(validate(text), []));

  it("builds in a separate stage, on the Node version of .nvmrc", () => {
    assert.equal(stages.length, 2);
    const images = instructions.filter(({ keyword }) => keyword === "FROM").map(({ words }) => words[0]);
    for (const image of images) assert.match(image!, new RegExp(`^node:${read(".nvmrc").trim()}-`));
    const build = instructions.slice(0, stages[1]).map(({ words }) => words.join(" "));
    assert.ok(build.some((command) => command.startsWith("npm ci")));
    assert.ok(build.some((command) => command.includes("npm prune --omit=dev")));
  });

  it("copies files that exist and that .dockerignore admits", () => {
    const let_in = read(".dockerignore").split("\n");
    const fromHere = instructions.filter(({ keyword, flags }) => keyword === "COPY" && flags.length === 0);
    for (const source of fromHere.flatMap(({ words }) => words.slice(0, -1))) {
      assert.ok(existsSync(source), source);
      assert.ok(let_in.includes(`!${source.replace("./", "")}`), `${source} is not in .dockerignore`);
    }
  });

  it("runs as an unprivileged user, with no later step as root", () => {
    assert.deepEqual(valuesOf("USER"), ["node"]);
    const keywords = final.map(({ keyword }) => keyword);
    assert.ok(keywords.lastIndexOf("RUN") < keywords.indexOf("USER"));
  });

  it("keeps its data in a volume and listens on all interfaces in the container", () => {
    assert.deepEqual(valuesOf("VOLUME"), ["/data"]);
    assert.match(valuesOf("ENV").join(" "), /NODE_ENV=production HOST=0\.0\.0\.0 DATA_DIR=\/data/);
    assert.deepEqual(valuesOf("EXPOSE"), ["8080"]);
  });

  it("runs node as process 1, stopped by SIGTERM", () => {
    assert.deepEqual(valuesOf("STOPSIGNAL"), ["SIGTERM"]);
    assert.equal(`exec ${commandOf("CMD").join(" ")}`, scripts.start);
  });

  it("has a health check that uses /healthz", async (t) => {
    let status = 200;
    const server = createServer((request, response) => {
      response.statusCode = request.url === "/healthz" ? status : 404;
      response.end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const PORT = String((server.address() as AddressInfo).port);
    const [node, ...args] = commandOf("HEALTHCHECK");
    assert.equal(node, "node");
    const check = async () => (await startProcess(process.execPath, args, { env: { PORT } }).exited).code;
    assert.equal(await check(), 0);
    status = 503;
    assert.equal(await check(), 1);
  });
});

describe("docker-compose.yml", () => {
  const secrets = { API_KEY: "sixteen-letters-or-more", MQTT_PASSWORD: "secret" };
  const { services, volumes } = parse(read("docker-compose.yml"));

  /** Interpolates Compose's `${NAME}`, `${NAME:-default}`, `${NAME:?message}` and `$$`. */
  const interpolate = (text: string, env: Record<string, string>) =>
    text.replace(/\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}/g, (all, name, operator, rest) => {
      if (all === "$$") return "$";
      if (operator === "?" && !env[name]) throw new Error(`${name}: ${rest}`);
      return env[name] || (operator === "-" ? rest : "");
    });

  it("does not start without its secrets", () => {
    const text = read("docker-compose.yml").replaceAll(/^\s*#.*$/gm, "");
    assert.doesNotThrow(() => interpolate(text, secrets));
    for (const name of Object.keys(secrets)) {
      assert.throws(() => interpolate(text, { ...secrets, [name]: "" }), new RegExp(`^Error: ${name}:`));
    }
  });

  it("gives the bridge a valid configuration", () => {
    const entries = Object.entries<string>(services.bridge.environment);
    const env = Object.fromEntries(entries.map(([name, value]) => [name, interpolate(value, secrets)]));
    const config = loadConfig(env, { envFile: false });
    assert.deepEqual(
      [config.mqtt.url, config.mqtt.username, config.mqtt.password],
      ["mqtt://mosquitto:1883", "causeway", "secret"],
    );
    assert.equal(config.storeUrl, "redis://redis:6379");
  });

  it("starts the bridge when broker and Redis are healthy", () => {
    assert.deepEqual(services.bridge.depends_on, {
      redis: { condition: "service_healthy" },
      mosquitto: { condition: "service_healthy" },
    });
    for (const name of ["redis", "mosquitto"]) assert.ok(services[name].healthcheck.test);
  });

  it("keeps all durable data in a named volume", () => {
    const mounts: [string, string][] = Object.values<{ volumes: string[] }>(services)
      .flatMap((service) => service.volumes)
      .map((mount) => mount.split(":") as [string, string]);
    for (const [source] of mounts) assert.ok(source.startsWith("./") ? existsSync(source) : source in volumes, source);
    const named = Object.fromEntries(mounts.filter(([source]) => source in volumes));
    assert.deepEqual(named, { "bridge-data": "/data", "redis-data": "/data", "mosquitto-data": "/mosquitto/data" });
  });

  it("runs a durable Redis without eviction", requireOrSkip("redis-server", "redis-cli"), async () => {
    const [program, ...args] = services.redis.command as [string, ...string[]];
    const port = String(await freePort());
    const redis = startProcess(program, [...args, "--port", port, "--bind", "127.0.0.1", "--dir", temporary]);
    await redis.waitFor(/Ready to accept connections/);
    const setting = (name: string) =>
      execFileSync("redis-cli", ["-p", port, "config", "get", name], { encoding: "utf8" }).split("\n")[1];
    assert.equal(setting("appendonly"), "yes");
    assert.equal(setting("maxmemory-policy"), "noeviction");
    await redis.stop();
  });
});

describe("Mosquitto of docker-compose.yml", () => {
  const needs = requireOrSkip("mosquitto", "mosquitto_passwd", "mosquitto_sub");

  it("accepts only its accounts, and keeps messages for an absent bridge across a restart", {
    ...needs,
    timeout: 60_000,
  }, async () => {
    const port = await freePort();
    const conf = join(temporary, "mosquitto.conf");
    const data = mkdtempSync(join(tmpdir(), "causeway-mosquitto-data-"));
    after(() => rmSync(data, { recursive: true, force: true }));
    const adjusted = read("docker/mosquitto.conf")
      .replace("listener 1883", `listener ${port} 127.0.0.1`)
      .replaceAll("/mosquitto/data/", `${data}/`);
    writeFileSync(conf, adjusted);
    const env = {
      MOSQUITTO_CONF: conf,
      MOSQUITTO_DATA: data,
      MQTT_USERNAME: "causeway",
      MQTT_PASSWORD: "bridge's own",
      DEVICE_USERNAME: "device",
      DEVICE_PASSWORD: "d",
      PATH: `${process.env.PATH}:/usr/sbin`,
    };
    const start = async () => {
      const mosquitto = startProcess("sh", ["docker/start-mosquitto.sh"], { env });
      await acceptsConnections(port);
      return mosquitto;
    };
    const url = `mqtt://127.0.0.1:${port}`;
    const session = { clientId: "causeway", clean: false };
    const login = (username?: string, password?: string, options = {}) =>
      connectAsync(url, { username, password, reconnectPeriod: 0, ...options }, false);

    let mosquitto = await start();
    assert.equal(statSync(join(data, "passwords")).mode & 0o077, 0);
    await assert.rejects(login(), /Not authorized/);
    await assert.rejects(login("device", "wrong"), /Not authorized/);

    const { test } = parse(read("docker-compose.yml")).services.mosquitto.healthcheck;
    const health = test[1].replaceAll("$$", "$").replace("mosquitto_sub", `mosquitto_sub -p ${port}`);
    assert.equal((await startProcess("sh", ["-c", health], { env }).exited).code, 0);
    const wrong = { ...env, MQTT_PASSWORD: "wrong" };
    assert.notEqual((await startProcess("sh", ["-c", health], { env: wrong }).exited).code, 0);

    const bridge = await login("causeway", "bridge's own", session);
    await bridge.subscribeAsync("up", { qos: 1 });
    await bridge.endAsync();
    const device = await login("device", "d");
    const sent = 1_500; // above Mosquitto's default limit of 1,000
    await Promise.all(Array.from({ length: sent }, (_, i) => device.publishAsync("up", String(i), { qos: 1 })));
    await device.endAsync();

    assert.equal((await mosquitto.stop()).code, 0);
    mosquitto = await start();
    const arrived = new Set<string>();
    await new Promise<void>((resolve) => {
      const again = connect(url, { ...session, username: "causeway", password: "bridge's own" });
      again.on("message", (_topic, payload) => {
        if (arrived.add(payload.toString()).size === sent) again.end(() => resolve());
      });
    });
    await mosquitto.stop();
  });
});

describe("continuous integration", () => {
  const { jobs } = parse(read(".github/workflows/ci.yml"));
  const commands = (job: string) => jobs[job].steps.flatMap((step: { run?: string }) => step.run ?? []);

  it("runs .ci/run on every Node version listed in package.json", () => {
    assert.deepEqual(jobs.test.strategy.matrix.node, [20, 22, 24]);
    assert.match(manifest.engines.node, /^>=20\./);
    assert.deepEqual(commands("test"), ["bash .ci/run"]);
  });

  it("gives the compose file the secrets it requires", () => {
    assert.deepEqual(Object.keys(jobs.compose.env).sort(), ["API_KEY", "MQTT_PASSWORD"]);
    assert.ok(jobs.compose.env.API_KEY.length >= 16);
  });

  it("can be started manually, and ends with the tests", () => {
    execFileSync("bash", ["-n", ".ci/run"]);
    execFileSync("sh", ["-n", "docker/start-mosquitto.sh"]);
    assert.ok(statSync(".ci/run").mode & 0o100);
    const used = [...read(".ci/run").matchAll(/^npm (?:run )?(\w+)/gm)].map(([, name]) => name!);
    for (const name of used.filter((each) => each !== "ci")) assert.ok(scripts[name], name);
    assert.equal(read(".ci/run").trim().split("\n").at(-1), "npm test");
  });
});
