// The pills at the top and the banner below: how feed, Redis, store and the page's own connection are.

import { setText } from "./format.js";

const LEVELS = { live: "good", up: "good", ended: "good", open: "good", stale: "warn", degraded: "warn", connecting: "wait", down: "bad", waiting: "bad" };
const ERROR_SHOWN_MS = 10_000;

export class Status {
  constructor({ pills, banner }) {
    this.pills = pills;
    this.banner = banner;
    this.parts = { page: { name: "connecting" } };
    this.error = "";
    setInterval(() => this.show(), 500);
  }

  // A part's state: {name, detail}; for `page` also {retryAt}.
  set(part, state) {
    this.parts[part] = state;
    this.show();
  }

  // The part's state is known sooner than why.
  change(part, name) {
    if (this.parts[part]?.name !== name) this.set(part, { name });
  }

  complain(text) {
    this.error = text;
    clearTimeout(this.forget);
    this.forget = setTimeout(() => {
      this.error = "";
      this.show();
    }, ERROR_SHOWN_MS);
    this.show();
  }

  show() {
    for (const pill of this.pills) {
      const state = this.parts[pill.dataset.part];
      const known = state && (pill.dataset.part === "page" || this.parts.page.name === "open");
      const name = state ? { open: "connected", waiting: "reconnecting" }[state.name] ?? state.name : "–";
      setText(pill.querySelector("b"), name);
      pill.dataset.level = known ? LEVELS[state.name] ?? "warn" : "wait";
      pill.title = state?.detail ?? "";
    }
    const [level, text] = this.headline();
    this.banner.hidden = !text;
    this.banner.dataset.level = level;
    setText(this.banner, text);
  }

  headline() {
    const { page, feed, redis, store } = this.parts;
    const why = (part) => (part.detail ? ` (${part.detail})` : "");
    if (page.name === "waiting") {
      const seconds = Math.max(0, Math.ceil((page.retryAt - performance.now()) / 1000));
      return ["bad", `Connection to the relay lost; next attempt in ${seconds} s. Prices below are the last ones seen.`];
    }
    if (feed?.name === "down") return ["bad", `The feed is down${why(feed)}: no new prices until it is back.`];
    if (redis?.name === "degraded") {
      return ["warn", `Redis is degraded${why(redis)}: prices here go on, its other readers get none; nothing accepted is lost.`];
    }
    if (store?.name === "degraded") return ["warn", `The store is degraded${why(store)}: accepted ticks wait in the spool.`];
    if (feed?.name === "stale") return ["warn", "The feed is stale: every asset has been silent for too long."];
    if (this.error) return ["warn", this.error];
    return ["good", ""];
  }
}
