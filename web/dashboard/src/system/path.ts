// The way of a tick, from the feed to the store and to browsers: stations and hops with what is known of each.

import type { RelayStatus } from "../../../src";
import { bytes, count, latency, NONE, plural, rate } from "../lib/format";
import type { Flow } from "../lib/readings";

export type Level = "good" | "warn" | "bad" | "wait";

export type StationId = "feed" | "ingestor" | "spool" | "outbox" | "store" | "publisher" | "channels" | "gateway" | "browsers";

export interface Station {
  readonly id: StationId;
  readonly name: string;
  readonly level: Level;
  readonly state: string;
  readonly figure: string;
}

export interface Hop {
  readonly from: StationId;
  readonly to: StationId;
  readonly rate: string;
  readonly latency: string;
  readonly latencyOf: string;
  readonly flows: boolean;
}

export interface Path {
  readonly stations: readonly Station[];
  readonly hops: readonly Hop[];
}

const LEVELS: Readonly<Record<string, Level>> = {
  live: "good", up: "good", ended: "good", running: "good", stale: "warn", degraded: "warn", connecting: "wait", starting: "wait",
  down: "bad", restarting: "bad", stopped: "bad", stopping: "warn",
};

/** Beside the word, for who can't tell the colours. */
export const GLYPHS: Readonly<Record<Level, string>> = { good: "●", warn: "▲", bad: "✕", wait: "○" };

export const levelOf = (state: string | undefined): Level => (state === undefined ? "wait" : (LEVELS[state] ?? "warn"));

export type ActorStates = ReadonlyMap<string, string>;

export function describePath(status: RelayStatus | undefined, actors: ActorStates, now: Flow | undefined): Path {
  const gauges = now?.gauges ?? {};
  const actor = (id: string) => actors.get(id);
  const station = (id: StationId, name: string, state: string | undefined, figure: string): Station => ({
    id, name, state: state ?? NONE, level: levelOf(state), figure,
  });
  const hop = (from: StationId, to: StationId, perSecond: number | undefined, unit: string, seconds?: number, of = ""): Hop => ({
    from, to, rate: perSecond === undefined ? NONE : `${rate(perSecond)} ${unit}/s`, flows: (perSecond ?? 0) > 0,
    latency: of ? latency(seconds) : "", latencyOf: of,
  });
  const feeds = Object.keys(status?.feeds ?? {});
  const pending = status?.store.pending ?? gauges.backlog;
  return {
    stations: [
      station("feed", "Feed", status?.system.stream, feeds.length > 1 ? plural(feeds.length, "feed") : (feeds[0] ?? NONE)),
      station("ingestor", "Ingestor", actor("tick_ingestor"), "reads and checks"),
      station("spool", "Spool", actor("buffer_keeper"), gauges.spoolBytes === undefined ? NONE : `${bytes(gauges.spoolBytes)} on disk`),
      station("outbox", "Redis outbox", status?.redis.state, gauges.outbox === undefined ? NONE : `${count(gauges.outbox)} waiting`),
      station("store", "Store", status?.store.state, pending === undefined || pending === null ? NONE : `${count(pending)} pending`),
      station("publisher", "Publisher", actor("publisher"), "tells Redis"),
      station("channels", "Redis channels", status?.redis.state, gauges.redisClients === undefined ? "updates:ASSET" : plural(gauges.redisClients, "client")),
      station("gateway", "Gateway", actor("gateway"), "fans out"),
      station("browsers", "Browsers", gauges.clients === undefined ? undefined : "up", gauges.clients === undefined ? NONE : plural(gauges.clients, "connection")),
    ],
    hops: [
      hop("feed", "ingestor", now?.received, "ticks"),
      hop("ingestor", "spool", now?.accepted, "ticks", now?.commitS, "commit"),
      hop("spool", "outbox", now?.accepted, "ticks", now?.forwardS, "forward"),
      hop("outbox", "store", now?.stored, "rows", now?.storeS, "batch"),
      hop("ingestor", "publisher", now?.received, "ticks"),
      hop("publisher", "channels", now?.published, "ticks", now?.publishS, "publish"),
      hop("ingestor", "gateway", now?.received, "ticks"),
      hop("gateway", "browsers", now?.sent, "frames"),
    ],
  };
}
