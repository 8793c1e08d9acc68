import { defineConfig } from "vitest/config";

const src = (path: string): string => new URL(`./src/${path}`, import.meta.url).pathname;

export default defineConfig({
  // The examples import the package by its name, as their readers do.
  resolve: {
    alias: [
      { find: /^tickwire-react$/, replacement: src("index.ts") },
      { find: /^tickwire-react\/(core|quflx)$/, replacement: src("$1/index.ts") },
    ],
  },
  test: {
    environment: "jsdom",
    include: ["test/**/*.test.{ts,tsx}", "dashboard/test/**/*.test.ts"],
    testTimeout: 20_000,
    restoreMocks: true,
  },
});
