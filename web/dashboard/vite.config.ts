import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { notices } from "./notices.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The relay serves the page at `/` and its files below `static/`; relative, so that a proxy may put all of it below a path. */
function filesBelowStatic(): Plugin {
  return {
    name: "files-below-static",
    transformIndexHtml: {
      order: "post",
      handler: (html) => html.replaceAll(/(src|href)="\.\//g, '$1="static/').replaceAll(" crossorigin", ""),
    },
  };
}

// The same input gives the same bytes: names without hashes (the relay revalidates by ETag), one script, one sheet.
export default defineConfig({
  root: here("."),
  base: "./",
  publicDir: here("public"),
  plugins: [react(), filesBelowStatic(), notices()],
  resolve: { dedupe: ["react", "react-dom"] },
  build: {
    outDir: here("../../runtime/gateway/static"),
    emptyOutDir: false,
    assetsDir: "",
    assetsInlineLimit: 0,
    modulePreload: false,
    target: "es2022",
    sourcemap: false,
    reportCompressedSize: true,
    rollupOptions: {
      output: { entryFileNames: "dashboard.js", assetFileNames: "dashboard[extname]", inlineDynamicImports: true },
    },
  },
  server: { proxy: { "/api": "http://127.0.0.1:3001", "/metrics": "http://127.0.0.1:3001", "/ws": { target: "ws://127.0.0.1:3001", ws: true } } },
});
