// Dark or light: as the system says, until the trader chooses. The style sheet reads `data-theme` of the root.

import { useSyncExternalStore } from "react";
import { Choice } from "./choice";

export type Theme = "light" | "dark";

const system = matchMedia("(prefers-color-scheme: dark)");
const chosen = new Choice<Theme | null>("tickwire.theme", (kept) => (kept === "light" || kept === "dark" ? kept : null));

function current(): Theme {
  return chosen.get() ?? (system.matches ? "dark" : "light");
}

function subscribe(listener: () => void): () => void {
  const stop = chosen.subscribe(listener);
  system.addEventListener("change", listener);
  return () => {
    stop();
    system.removeEventListener("change", listener);
  };
}

export function choose(theme: Theme): void {
  chosen.set(theme);
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, current);
}

function paint(): void {
  document.documentElement.dataset.theme = current();
}

/** Before the first paint, so that nothing flashes, and before all others hear of a change: they read the style sheet's colours. */
export function dress(): void {
  subscribe(paint);
  paint();
}
