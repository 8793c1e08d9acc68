import { useNow } from "../lib/clock";
import { feedDetails, type Parts } from "./TopBar";

type Said = readonly [level: "warn" | "bad", text: string];

/** What is wrong, the gravest first; screen readers are told of it once, not with each second of the wait. */
export function Banner(parts: Parts) {
  const [level, text] = headline(parts);
  return (
    <div role="status">
      {text && (
        <p className="banner" id="banner" data-level={level}>
          {text}
          {parts.page.name === "waiting" && <span aria-hidden="true"> <Wait until={parts.page.retryAt} /></span>}
        </p>
      )}
    </div>
  );
}

function Wait({ until }: { readonly until: number }) {
  return <>Next attempt in {Math.max(0, Math.ceil((until - useNow()) / 1000))} s.</>;
}

function headline({ page, feed, whole }: Parts): Said {
  if (page.name === "waiting") return ["bad", "Connection to the relay lost. Prices below are the last ones seen."];
  const why = (detail: string | null | undefined) => (detail ? ` (${detail})` : "");
  const stream = feed?.feed ?? whole?.system.stream;
  const silent = stream === "down" || stream === "stale";
  const said: string[] = [];
  if (stream === "down") said.push(`The feed is down${why(feedDetails(whole))}: no new prices until it is back.`);
  if (stream === "stale") said.push("The feed is stale: every asset has been silent for too long.");
  if ((feed?.redis ?? whole?.redis.state) === "degraded") {
    said.push(`Redis is degraded${why(whole?.redis.detail)}: ${silent ? "" : "prices here go on, "}its other readers get none; nothing accepted is lost.`);
  }
  if (whole?.store.state === "degraded") said.push(`The store is degraded${why(whole.store.detail)}: accepted ticks wait in the spool.`);
  return [stream === "down" ? "bad" : "warn", said.join(" ")];
}
