/**
 * The arrows of the source tree: main → bridge → everything. `npm run lint:imports` checks them.
 * A rule that stands in the way is a question about the design: ask it before changing the rule.
 */

const npm = (...names) => `(^|/)node_modules/(${names.join("|")})/`;

/** The stages of the uplink: each may import the named ones and uplink/attempt.ts, and no other. */
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
      comment: "Two files that need each other are one file, or three.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "no-dead-files",
      comment: "Nothing that a process or the demo does not reach; what only tests need belongs to test/.",
      severity: "error",
      from: { path: "^src/(main|demo/demo|uplink/expressions/sandbox-child)\\.ts$" },
      to: {
        path: "^src/",
        pathNot: "^src/(main|demo/demo|uplink/expressions/sandbox-child)\\.ts$|\\.d\\.ts$",
        reachable: false,
      },
    },
    {
      name: "resolvable",
      comment: "Every import is there, and every package in package.json.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "dependencies-are-declared",
      comment: "What src imports at run time must be installed with `npm ci --omit=dev`.",
      severity: "error",
      from: { path: "^src/" },
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown", "undetermined"],
        dependencyTypesNot: ["type-only"],
        pathNot: npm("@types"),
      },
    },
    {
      name: "src-knows-no-tests",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|bench)/" },
    },
    {
      name: "main-starts-the-bridge",
      comment: "The process: configuration, bridge, signals and what it prints. The folders are wired in bridge.ts.",
      severity: "error",
      from: { path: "^src/main\\.ts$" },
      to: {
        path: "^src/[^/]+/",
        pathNot: "^src/(config/config|store/(store|data-dir)|keys/api-key)\\.ts$|^src/(ops|process|security)/",
      },
    },
    {
      name: "only-main-knows-the-bridge",
      comment: "The composition root is the top: nobody reaches up to it.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(main|demo/demo)\\.ts$" },
      to: { path: "^src/(main|bridge)\\.ts$", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "shared-vocabulary-is-pure",
      comment: "message.ts, topic.ts and errors.ts are used by every folder and use none.",
      severity: "error",
      from: { path: "^src/(message|topic|errors|version)\\.ts$" },
      to: { path: "^src/", pathNot: "^src/(message|topic|errors)\\.ts$" },
    },
    {
      name: "downlink-stands-alone",
      comment: "It declares the ports it needs in its own files; src/wiring passes the real ones.",
      severity: "error",
      from: { path: "^src/downlink/" },
      to: { path: "^src/(uplink|mqtt|store|live|api|http)/", pathNot: "^src/store/record-cache\\.ts$" },
    },
    {
      name: "uplink-stands-alone",
      comment: "It declares the ports it needs in its own files; src/wiring passes the real ones.",
      severity: "error",
      from: { path: "^src/uplink/" },
      to: { path: "^src/(downlink|mqtt|store|live|api|http)/", pathNot: "^src/store/(record-cache|lease)\\.ts$" },
    },
    ...rooms([
      ["receive", ["queue"], "From the packet to the durable job: it enqueues, and knows nothing of calling webhooks."],
      ["queue", [], "Deliveries at rest. Every stage works on it, so it knows no stage."],
      ["ordering", ["queue"], "Which delivery follows which: a matter of jobs, not of calls."],
      [
        "expressions",
        ["queue", "request"],
        "Filters and transforms a message; whether it is called then is not its affair.",
      ],
      ["request", [], "Message to signed HTTP request: pure, so that a preview shows what a delivery sends."],
      ["egress", [], "The guarded HTTP client. It knows no queue, so that whatever calls out uses it."],
      ["health", [], "The breaker judges results of attempts; it neither calls nor queues."],
      ["events", ["health", "queue", "request"], "Announces what health and deliveries went through."],
      [
        "deliver",
        ["queue", "ordering", "expressions", "request", "egress", "health"],
        "The last stage uses the others; it never receives.",
      ],
    ]),
    {
      name: "adapters-know-no-flow",
      comment:
        "mqtt/ and store/ serve both flows and run nothing of them; the types of a port they implement are fine.",
      severity: "error",
      from: { path: "^src/(mqtt|store)/" },
      to: { path: "^src/(downlink|uplink|webhooks|http|ops)/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "mqtt-client-is-the-base",
      comment: "Publishing needs neither the receiving side nor the embedded broker.",
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
      comment: "Outside store/ and bridge.ts the store is the interfaces of store/store.ts, nothing more.",
      severity: "error",
      from: { path: "^src/(webhooks|keys|http|ops)/|^src/store/record-cache\\.ts$" },
      to: { path: "^src/store/", pathNot: "^src/store/(store|record-cache)\\.ts$" },
    },
    {
      name: "the-store-port-is-types",
      severity: "error",
      from: { path: "^src/(webhooks|keys|http|ops)/|^src/store/record-cache\\.ts$" },
      to: { path: "^src/store/store\\.ts$", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "mqtt-packages-in-mqtt",
      comment: "One folder to change when a client library or the embedded broker changes.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(mqtt|demo)/" },
      to: { path: npm("mqtt", "mqtt-packet", "aedes[^/]*", "ws") },
    },
    {
      name: "level-in-the-embedded-broker",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(mqtt|store)/" },
      to: { path: npm("classic-level", "abstract-level") },
    },
    {
      name: "store-packages-in-store",
      comment: "One folder to change when a backend changes.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/store/" },
      to: { path: npm("ioredis", "@electric-sql") },
    },
    {
      name: "bullmq-runs-in-store-and-the-flows",
      comment:
        "Queues and workers come from the store's port. The flows may throw BullMQ's errors; others use its types.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(store|uplink|downlink)/" },
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
