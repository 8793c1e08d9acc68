import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

interface Package {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly texts: readonly string[];
}

/** Writes the licences of every package whose code is in the bundle into `LICENSES.txt`: minifying takes them out of it. */
export function notices(): Plugin {
  return {
    name: "notices",
    apply: "build",
    generateBundle(_options, bundle) {
      const roots = new Set<string>();
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk") continue;
        for (const [id, { renderedLength }] of Object.entries(chunk.modules)) {
          const root = packageRoot(id);
          if (root && renderedLength > 0) roots.add(root);
        }
      }
      const packages = [...roots].map(describe).sort((a, b) => (a.name < b.name ? -1 : 1));
      this.emitFile({ type: "asset", fileName: "LICENSES.txt", source: page(packages) });
    },
  };
}

function packageRoot(id: string): string | undefined {
  if (!id.includes("/node_modules/")) return undefined;
  for (let folder = dirname(id.replace(/^\0/, "").replace(/\?.*$/, "")); folder !== "/"; folder = dirname(folder)) {
    const file = join(folder, "package.json");
    if (existsSync(file) && (JSON.parse(readFileSync(file, "utf8")) as { name?: string }).name) return folder;
  }
  return undefined;
}

function describe(root: string): Package {
  const { name, version, license } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Package;
  const files = readdirSync(root).filter((file) => /^(licen[cs]e|notice)/i.test(file)).sort();
  return { name, version, license, texts: files.map((file) => readFileSync(join(root, file), "utf8").trim()) };
}

function page(packages: readonly Package[]): string {
  const parts = packages.map(({ name, version, license, texts }) => [`${name} ${version} (${license})`, ...texts].join("\n\n"));
  return `The page is made of tickwire's own code (MIT) and of these packages.\n\n${parts.join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}
