/** Allowed imports in the dashboard: app → pages → components → data. `npm run lint:imports` checks them. */

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      comment: "Two files that depend on each other should be one file, or three.",
      severity: "error",
      from: {},
      to: { circular: true, dependencyTypesNot: ["type-only"] },
    },
    {
      name: "resolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true, pathNot: "^\\./.*\\.css$" },
    },
    {
      name: "only-the-client-of-the-bridge",
      comment: "Everything on a page is one API call that any program could make.",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^\\.\\./src/", pathNot: "^\\.\\./src/(client|presets)/index\\.ts$" },
    },
    {
      name: "components-know-no-page",
      severity: "error",
      from: { path: "^src/components/" },
      to: { path: "^src/pages/" },
    },
    {
      name: "data-draws-nothing",
      comment: "session.tsx decides between the page of signing in and all others.",
      severity: "error",
      from: { path: "^src/data/", pathNot: "/session\\.tsx$" },
      to: { path: "^src/(components|pages)/", dependencyTypesNot: ["type-only"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules|^\\.\\./src/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "node", "default"],
      extensions: [".ts", ".tsx", ".js", ".json", ".d.ts", ".css"],
    },
  },
};
