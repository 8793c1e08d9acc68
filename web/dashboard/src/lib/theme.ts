// Dark or light: as the system says, until the trader chooses. The style sheet reads `data-theme` of the root.

import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark";

const NAME = "tickwire.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();
let chosen = stored();

function stored(): Theme | null {
  try {
    const kept = localStorage.getItem(NAME);
    return kept === "light" || kept === "dark" ? kept : null;
  } catch {
    return null; // storage is off: the choice lasts as long as the page
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function current(): Theme {
  return chosen ?? (system.matches ? "dark" : "light");
}

export function choose(theme: Theme): void {
  chosen = theme;
  try {
    localStorage.setItem(NAME, theme);
  } catch {
    // storage is off
  }
  tell();
}

/** The root first: whoever hears of it reads the new colours from the style sheet. */
function tell(): void {
  document.documentElement.dataset.theme = current();
  for (const listener of [...listeners]) listener();
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, current);
}

/** Before the first paint: nothing flashes. */
export function dress(): void {
  system.addEventListener("change", tell);
  tell();
}
