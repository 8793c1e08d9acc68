import { defineConfig } from "vite";

// `vite build bench`: as pages are built, but with the React that tells its <Profiler> of every commit.
export default defineConfig({
  base: "./",
  resolve: { alias: { "react-dom/client": "react-dom/profiling" } },
  build: { target: "es2022" },
});
