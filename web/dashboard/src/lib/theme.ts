// Dark or light: as the system says, until the trader chooses. The style sheet reads `data-theme` of the root.

import { useEffect, useSyncExternalStore } from "react";

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
  system.addEventListener("change", listener);
  return () => {
    listeners.delete(listener);
    system.removeEventListener("change", listener);
  };
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
  for (const listener of [...listeners]) listener();
}

export function useTheme(): Theme {
  const theme = useSyncExternalStore(subscribe, current);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  return theme;
}

/** Before the first paint: nothing flashes. */
export function dress(): void {
  document.documentElement.dataset.theme = current();
}
