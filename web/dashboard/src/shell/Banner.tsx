import { useNow } from "../lib/clock";
import type { Parts } from "./TopBar";

type Said = readonly [level: "good" | "warn" | "bad", text: string];

/** One sentence on what is wrong, the gravest; screen readers are told of it once, not with each second of the wait. */
export function Banner(parts: Parts) {
  const [level, text] = headline(parts);
  return (
    <div className="banner" id="banner" role="status" data-level={level} hidden={!text}>
      {text}
      {text && parts.page.name === "waiting" && <span aria-hidden="true"> <Wait until={parts.page.retryAt} /></span>}
    </div>
  );
}

function Wait({ until }: { readonly until: number }) {
  return <>Next attempt in {Math.max(0, Math.ceil((until - useNow()) / 1000))} s.</>;
}

function headline({ page, feed, whole }: Parts): Said {
  const why = (detail: string | null | undefined) => (detail ? ` (${detail})` : "");
  if (page.name === "waiting") return ["bad", "Connection to the relay lost. Prices below are the last ones seen."];
  const stream = feed?.feed ?? whole?.system.stream;
  const feeds = Object.entries(whole?.feeds ?? {}).filter(([, { detail }]) => detail).map(([name, { detail }]) => `${name}: ${detail}`);
  if (stream === "down") return ["bad", `The feed is down${why(feeds.join("; "))}: no new prices until it is back.`];
  if ((feed?.redis ?? whole?.redis.state) === "degraded") {
    return ["warn", `Redis is degraded${why(whole?.redis.detail)}: prices here go on, its other readers get none; nothing accepted is lost.`];
  }
  if (whole?.store.state === "degraded") return ["warn", `The store is degraded${why(whole.store.detail)}: accepted ticks wait in the spool.`];
  if (stream === "stale") return ["warn", "The feed is stale: every asset has been silent for too long."];
  return ["good", ""];
}
