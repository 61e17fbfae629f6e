/**
 * Allowed imports in the source tree: main → bridge → everything. `npm run lint:imports` checks them.
 * If a rule is in the way, reconsider the design before you change the rule.
 */

const npm = (...names) => `(^|/)node_modules/(${names.join("|")})/`;

/** Where processes, threads and exports of the package begin. The procedures run in the thread of the engine. */
const ROOTS = [
  "main|cli/cli|demo/demo|client/index|receiver/index",
  "uplink/expressions/sandbox-child|store/sqlite/procedures|mqtt/embedded/sqlite-procedures",
].join("|");

/** Stages of the uplink: each may import only the listed stages and uplink/attempt.ts. */
const rooms = (stages) =>
  stages.map(([room, allowed, comment]) => ({
    name: `uplink-${room}`,
    comment,
    severity: "error",
    from: { path: `^src/uplink/${room}/` },
    to: { path: "^src/uplink/", pathNot: `^src/uplink/(attempt\\.ts$|(${[room, ...allowed].join("|")})/)` },
  }));

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      comment: "Two files that depend on each other should be one file, or three.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "no-dead-files",
      comment:
        "Every file must be reachable from a process, an export or the demo; code that only tests need belongs in test/.",
      severity: "error",
      from: { path: `^src/(${ROOTS})\\.ts$` },
      to: {
        path: "^src/",
        // bullmq-sqlite: a library; its thread is loaded by URL.
        pathNot: `^src/(${ROOTS})\\.ts$|^src/bullmq-sqlite/|\\.d\\.ts$`,
        reachable: false,
      },
    },
    {
      name: "resolvable",
      comment: "Every import must resolve, and every package must be in package.json.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "dependencies-are-declared",
      comment: "Run-time imports of src must be installed by `npm ci --omit=dev`.",
      severity: "error",
      from: { path: "^src/" },
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown", "undetermined"],
        dependencyTypesNot: ["type-only"],
        pathNot: npm("@types"),
      },
    },
    {
      name: "problems-are-thrown-at-the-edge",
      comment: "A refusal below api/ and http/ is a value: what it means in HTTP is decided in one place.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(api|http)/" },
      to: { path: "^src/http/problem\\.ts$" },
    },
    {
      name: "src-knows-no-tests",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|bench)/" },
    },
    {
      name: "main-starts-the-bridge",
      comment: "The process: configuration, bridge, signals and output. bridge.ts wires the folders.",
      severity: "error",
      from: { path: "^src/main\\.ts$" },
      to: {
        path: "^src/[^/]+/",
        pathNot: "^src/(config/config|store/(store|data-dir)|keys/api-key)\\.ts$|^src/(lib|ops|process|security)/",
      },
    },
    {
      name: "only-main-knows-the-bridge",
      comment: "The composition root is the top: no other file imports it.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(main|demo/demo|cli/commands/start)\\.ts$" },
      to: { path: "^src/(main|bridge)\\.ts$", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "cli-is-a-program-of-its-own",
      comment: "Talks to the bridge through the client, as every other program does. `start` becomes the bridge.",
      severity: "error",
      from: { path: "^src/cli/", pathNot: "^src/cli/(doctor/|mcp/|commands/start\\.ts$)" },
      to: { path: "^src/", pathNot: "^src/(cli|client|configuration|presets|simulate|lib)/" },
    },
    {
      name: "presets-stand-alone",
      comment: "Data and pure functions for the program `causeway` and for browsers: of the bridge only types.",
      severity: "error",
      from: { path: "^src/presets/" },
      to: { path: ".", pathNot: "^src/presets/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "simulated-devices-stand-alone",
      comment: "Devices know the broker only, as real ones do.",
      severity: "error",
      from: { path: "^src/simulate/" },
      to: { path: "^src/", pathNot: "^src/(simulate|lib|mqtt|formats/sparkplug)/" },
    },
    {
      name: "only-the-cli-simulates",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(simulate|cli)/" },
      to: { path: "^src/simulate/" },
    },
    {
      name: "configuration-uses-the-client",
      comment:
        "The bridge and the program `causeway` apply documents in the same way: through the API, with the client.",
      severity: "error",
      from: { path: "^src/configuration/" },
      to: {
        path: "^src/",
        pathNot: "^src/(configuration|client|lib)/|^src/security/redaction\\.ts$",
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "mcp-reads-the-contract",
      comment: "Tools over the client; their inputs and scopes come from the contract.",
      severity: "error",
      from: { path: "^src/cli/mcp/" },
      to: { path: "^src/", pathNot: "^src/(cli|client)/|^src/http/document\\.ts$" },
    },
    {
      name: "doctor-reads-what-the-bridge-reads",
      comment: "Checks the parts that the configuration names with the code that the bridge uses, and no flow.",
      severity: "error",
      from: { path: "^src/cli/doctor/" },
      to: {
        path: "^src/",
        pathNot:
          "^src/(cli|client|config|lib)/|^src/mqtt/client/connection\\.ts$|" +
          "^src/store/(errors|redis/(connection|server-check))\\.ts$|^src/uplink/egress/ssrf-guard\\.ts$",
      },
    },
    {
      name: "nothing-imports-the-cli",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/cli/" },
      to: { path: "^src/cli/" },
    },
    {
      name: "shared-vocabulary-is-pure",
      comment: "Every folder may import message.ts, topic.ts, topic-index.ts and errors.ts; they import no folder.",
      severity: "error",
      from: { path: "^src/(message|topic|topic-index|errors|version)\\.ts$" },
      to: { path: "^src/", pathNot: "^src/(message|topic|topic-index|errors)\\.ts$" },
    },
    {
      name: "downlink-stands-alone",
      comment: "Declares the ports it needs in its own files; src/wiring passes the implementations.",
      severity: "error",
      from: { path: "^src/downlink/" },
      to: { path: "^src/(uplink|mqtt|store|live|api|http)/", pathNot: "^src/store/record-cache\\.ts$" },
    },
    {
      name: "uplink-stands-alone",
      comment: "Declares the ports it needs in its own files; src/wiring passes the implementations.",
      severity: "error",
      from: { path: "^src/uplink/" },
      to: { path: "^src/(downlink|mqtt|store|live|api|http)/", pathNot: "^src/store/(record-cache|lease)\\.ts$" },
    },
    {
      name: "hooks-stand-alone",
      comment: "Calls become messages. Publishing, storing and the sandbox are ports, which src/wiring passes.",
      severity: "error",
      from: { path: "^src/hooks/" },
      to: {
        path: "^src/",
        pathNot:
          "^src/(hooks|keys|lib)/|^src/(message|topic|errors)\\.ts$|^src/store/(store|record-cache|external-ids)\\.ts$",
      },
    },
    ...rooms([
      ["receive", ["queue"], "From the packet to the durable job: enqueues, and does not call webhooks."],
      ["queue", [], "Stored deliveries. Every stage uses this one, so it imports no stage."],
      ["ordering", ["queue"], "The order of deliveries, which concerns jobs and not calls."],
      ["formats", ["queue"], "Decodes payloads and remembers what decoding needs."],
      [
        "expressions",
        ["queue", "request", "formats"],
        "Decodes, filters and transforms a message; does not decide about the call.",
      ],
      ["request", [], "Message to signed HTTP request: pure, so that a preview equals the delivery."],
      ["egress", [], "The guarded HTTP client. Imports no queue, so that every outbound call can use it."],
      ["health", [], "The circuit breaker evaluates attempt results; it neither calls nor queues."],
      ["events", ["health", "queue", "request"], "Announces changes of health and failed deliveries."],
      [
        "deliver",
        ["queue", "ordering", "expressions", "request", "egress", "health"],
        "The last stage: uses the other stages, but never receives.",
      ],
      [
        "pull",
        ["queue", "ordering", "expressions", "request", "deliver"],
        "The last stage of pull webhooks: shares the outcomes of attempts with the stage that calls.",
      ],
    ]),
    {
      name: "client-stands-alone",
      comment: "Runs in browsers: no module of Node.js, and of the bridge only types and the back-off.",
      severity: "error",
      from: { path: "^src/client/" },
      to: {
        pathNot: `^src/client/|^src/lib/backoff\\.ts$|^src/receiver/json-source\\.ts$|${npm("openapi-fetch")}`,
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "only-the-contract-in-the-client",
      comment: "The types of the client are public: the contract decides about them.",
      severity: "error",
      from: { path: "^src/client/" },
      to: {
        path: "^src/",
        pathNot: "^src/(client/|lib/backoff\\.ts$|receiver/json-source\\.ts$|http/contract/generated\\.ts$)",
      },
    },
    {
      name: "receiver-stands-alone",
      comment: "The library of webhook receivers runs in other programs, on every runtime: of the server only types.",
      severity: "error",
      from: { path: "^src/receiver/" },
      to: { path: "^src/", pathNot: "^src/receiver/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "receiver-runs-everywhere",
      comment: "Web Crypto and fetch types exist on every runtime; Node's modules and most packages do not.",
      severity: "error",
      from: { path: "^src/receiver/" },
      to: { path: ".", pathNot: `^src/|${npm("lru-cache")}`, dependencyTypesNot: ["type-only"] },
    },
    {
      name: "server-knows-no-receiver",
      comment: "The library is for other programs.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(receiver|client)/" },
      to: { path: "^src/receiver/" },
    },
    {
      name: "bullmq-sqlite-stands-alone",
      comment: "A library that could be published on its own; only store/ may use it, through its index.",
      severity: "error",
      from: { path: "^src/bullmq-sqlite/" },
      to: { path: "^src/", pathNot: "^src/bullmq-sqlite/" },
    },
    {
      name: "bullmq-sqlite-in-store",
      comment: "Queues come from the store's port. The embedded broker gets the engine of the store's file.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(bullmq-sqlite|store)/" },
      to: { path: "^src/bullmq-sqlite/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "bullmq-sqlite-has-an-index",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/bullmq-sqlite/" },
      to: { path: "^src/bullmq-sqlite/", pathNot: "^src/bullmq-sqlite/index\\.ts$" },
    },
    {
      name: "adapters-know-no-flow",
      comment:
        "mqtt/ and store/ serve both flows and import no code of them; types of the ports they implement are allowed.",
      severity: "error",
      from: { path: "^src/(mqtt|store)/" },
      to: { path: "^src/(downlink|uplink|webhooks|http|ops)/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "mqtt-client-is-the-base",
      comment: "Publishing needs neither the receiving code nor the embedded broker.",
      severity: "error",
      from: { path: "^src/mqtt/client/" },
      to: { path: "^src/mqtt/(receive|embedded)/" },
    },
    {
      name: "mqtt-receive-without-broker",
      severity: "error",
      from: { path: "^src/mqtt/receive/" },
      to: { path: "^src/mqtt/embedded/" },
    },
    {
      name: "lib-has-no-domain",
      comment: "Small tools that any project could use.",
      severity: "error",
      from: { path: "^src/lib/" },
      to: { path: "^src/", pathNot: "^src/(lib/|errors\\.ts$|message\\.ts$)" },
    },
    {
      name: "mqtt-knows-no-store",
      severity: "error",
      from: { path: "^src/mqtt/" },
      to: { path: "^src/store/" },
    },
    {
      name: "store-knows-no-mqtt",
      severity: "error",
      from: { path: "^src/store/" },
      to: { path: "^src/mqtt/" },
    },
    {
      name: "the-store-is-its-port",
      comment: "Outside store/ and bridge.ts, only the interfaces of store/store.ts may be imported.",
      severity: "error",
      from: { path: "^src/(webhooks|hooks|keys|http|ops)/|^src/store/(record-cache|external-ids)\\.ts$" },
      to: { path: "^src/store/", pathNot: "^src/store/(store|record-cache|external-ids)\\.ts$" },
    },
    {
      name: "the-store-port-is-types",
      severity: "error",
      from: { path: "^src/(webhooks|hooks|keys|http|ops)/|^src/store/(record-cache|external-ids)\\.ts$" },
      to: { path: "^src/store/store\\.ts$", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "mqtt-packages-in-mqtt",
      comment: "One folder to change when a client library or the embedded broker changes.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(mqtt|demo|simulate)/" },
      to: { path: npm("mqtt", "mqtt-packet", "aedes[^/]*", "ws") },
    },
    {
      name: "store-packages-in-store",
      comment: "One folder to change when a backend changes.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/store/" },
      to: { path: npm("ioredis") },
    },
    {
      name: "bullmq-runs-in-store-and-the-flows",
      comment:
        "Queues and workers come from the store's port. The flows may throw BullMQ's errors; others only use its types.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(store|uplink|downlink|bullmq-sqlite)/" },
      to: { path: npm("bullmq"), dependencyTypesNot: ["type-only"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|dashboard)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "node", "default"],
      extensions: [".ts", ".js", ".json", ".d.ts"],
    },
    skipAnalysisNotInRules: true,
    builtInModules: { add: ["node:test", "node:sqlite"] },
  },
};
