/** Builds the dashboard into `dist/dashboard`, which the bridge serves at `/`. */
import { fileURLToPath } from "node:url";
import { preact } from "@preact/preset-vite";
import { defineConfig } from "vite";

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  // Relative, so that the same files work below every BASE_PATH.
  base: "./",
  resolve: {
    alias: { "causeway-mqtt/client": fileURLToPath(new URL("../src/client/index.ts", import.meta.url)) },
  },
  plugins: [preact({ prefreshEnabled: false, devToolsEnabled: false })],
  build: {
    outDir: "../dist/dashboard",
    emptyOutDir: true,
    target: "es2022",
    // The content security policy allows neither data: fonts nor inline code.
    assetsInlineLimit: 0,
    // Every supported browser preloads modules by itself.
    modulePreload: { polyfill: false },
  },
  // `npm run dev:dashboard` serves the sources beside a running bridge.
  server: { proxy: { "/v1": "http://127.0.0.1:8080", "/readyz": "http://127.0.0.1:8080" } },
});
