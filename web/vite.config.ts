import { defineConfig } from "vite";

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
    rollupOptions: { external: ["react", "react/jsx-runtime"] },
  },
});
