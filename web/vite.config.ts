import { defineConfig } from "vite";

const HOOKS = ["index", "quflx"];

// The package: three entries without React in them; what they share is a chunk.
export default defineConfig({
  build: {
    target: "es2022",
    minify: false,
    sourcemap: true,
    lib: {
      entry: { index: "src/index.ts", core: "src/core/index.ts", quflx: "src/quflx/index.ts" },
      formats: ["es"],
    },
    rollupOptions: {
      external: ["react", "react/jsx-runtime"],
      // Where a server has components of its own, hooks are those of the browser.
      output: { banner: ({ name }) => (HOOKS.includes(name) ? '"use client";' : "") },
    },
  },
});
