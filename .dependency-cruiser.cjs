/**
 * The arrows of the source tree: main → bridge → everything. `npm run lint:imports` checks them.
 * A rule that stands in the way is a question about the design: ask it before changing the rule.
 */

const npm = (...names) => `(^|/)node_modules/(${names.join("|")})/`;

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
      from: { path: "^src/(main|demo|uplink/expression-child)\\.ts$" },
      to: { path: "^src/", pathNot: "^src/(main|demo|uplink/expression-child)\\.ts$|\\.d\\.ts$", reachable: false },
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
      to: { path: "^src/[^/]+/", pathNot: "^src/(store/store\\.ts$|ops/)" },
    },
    {
      name: "only-main-knows-the-bridge",
      comment: "The composition root is the top: nobody reaches up to it.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(main|demo)\\.ts$" },
      to: { path: "^src/(main|bridge)\\.ts$", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "shared-vocabulary-is-pure",
      comment: "message.ts, topic.ts, errors.ts and caller.ts are understood by everyone and know nobody.",
      severity: "error",
      from: { path: "^src/(message|topic|errors|caller)\\.ts$" },
      to: { path: "^src/", pathNot: "^src/(message|topic|errors|caller)\\.ts$" },
    },
    {
      name: "downlink-stands-alone",
      comment: "It declares the ports it needs in its own files; bridge.ts passes the real ones.",
      severity: "error",
      from: { path: "^src/downlink/" },
      to: { path: "^src/(uplink|mqtt|store)/" },
    },
    {
      name: "uplink-stands-alone",
      comment: "It declares the ports it needs in its own files; bridge.ts passes the real ones.",
      severity: "error",
      from: { path: "^src/uplink/" },
      to: { path: "^src/(downlink|mqtt|store)/" },
    },
    {
      name: "adapters-know-no-flow",
      comment:
        "mqtt/ and store/ serve both flows and run nothing of them; the types of a port they implement are fine.",
      severity: "error",
      from: { path: "^src/(mqtt|store)/" },
      to: { path: "^src/(downlink|uplink|webhooks|http|ops)/", dependencyTypesNot: ["type-only"] },
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
      from: { path: "^src/(webhooks|keys|http|ops)/|^src/view\\.ts$" },
      to: { path: "^src/store/", pathNot: "^src/store/store\\.ts$" },
    },
    {
      name: "the-store-port-is-types",
      severity: "error",
      from: { path: "^src/(webhooks|keys|http|ops)/|^src/view\\.ts$" },
      to: { path: "^src/store/store\\.ts$", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "mqtt-packages-in-mqtt",
      comment: "One folder to change when a client library or the embedded broker changes.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(mqtt/|demo\\.ts$)" },
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
