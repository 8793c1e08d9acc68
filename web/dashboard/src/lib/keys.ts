import { useEffect, useRef } from "react";
import { Choice, useChoice } from "./choice";

/** Letters, digits and signs that act by themselves: who speaks to the computer sets them off unawares, so they can be off. */
export const shortcuts = new Choice<"on" | "off">("tickwire.shortcuts", (kept) => (kept === "off" ? "off" : "on"));

/** Words about a button, with its key while that acts. */
export function useHint(): (words: string, key: string) => string {
  const on = useChoice(shortcuts) === "on";
  return (words, key) => (on ? `${words} (${key})` : words);
}

/** Whether keys belong to what is typed into. */
function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** `act` gets every key that nothing else takes: none while something is typed or a dialog is open. */
export function useKeys(act: (key: string, event: KeyboardEvent) => void): void {
  const latest = useRef(act);
  useEffect(() => {
    latest.current = act;
  });
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
      if (document.querySelector("dialog[open]")) return;
      if (event.key.length === 1 && shortcuts.get() === "off") return;
      latest.current(event.key, event);
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
}
