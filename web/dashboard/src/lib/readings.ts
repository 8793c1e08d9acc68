// Figures of /metrics over time, kept in the page: what flowed is the difference of two readings.

/** What /metrics says of one name: the sum over labels that match. */
export type Look = (name: string, labels?: Readonly<Record<string, string>>) => number | undefined;

const COUNTERS = {
  received: "tickwire_feed_ticks_total",
  accepted: "tickwire_ticks_accepted_total",
  spoolRows: "tickwire_spool_rows_written_total",
  published: "tickwire_ticks_published_total",
  sent: "tickwire_gateway_frames_sent_total",
  conflated: "tickwire_gateway_ticks_conflated_total",
  stored: "tickwire_rows_stored_total",
  publishSum: "tickwire_publish_seconds_sum",
  publishCount: "tickwire_publish_seconds_count",
  commitSum: "tickwire_spool_commit_seconds_sum",
  commitCount: "tickwire_spool_commit_seconds_count",
  forwardSum: "tickwire_forward_seconds_sum",
  forwardCount: "tickwire_forward_seconds_count",
  storeSum: "tickwire_store_seconds_sum",
  storeCount: "tickwire_store_seconds_count",
  cpu: "tickwire_process_cpu_seconds_total",
} as const;

const GAUGES = {
  spooled: "tickwire_spool_rows",
  spoolBytes: "tickwire_spool_bytes",
  outbox: "tickwire_outbox_entries",
  backlog: "tickwire_store_backlog_rows",
  clients: "tickwire_gateway_clients",
  lost: "tickwire_ticks_lost",
  memory: "tickwire_process_resident_memory_bytes",
  redisMemory: "tickwire_redis_used_memory_bytes",
  redisMost: "tickwire_redis_max_memory_bytes",
  redisClients: "tickwire_redis_connected_clients",
  redisOps: "tickwire_redis_ops_per_second",
  redisUptime: "tickwire_redis_uptime_seconds",
  redisEvicted: "tickwire_redis_evicted_keys_total",
  offset: "tickwire_feed_clock_offset_seconds",
} as const;

type Counter = keyof typeof COUNTERS;
type Gauge = keyof typeof GAUGES;

export interface Reading {
  readonly at: number;
  readonly counters: Readonly<Partial<Record<Counter, number>>>;
  readonly gauges: Readonly<Partial<Record<Gauge, number>>>;
}

/** Rates a second and mean latencies in seconds, over the window that ends at `at`; the store has a longer one. */
export interface Flow {
  readonly at: number;
  readonly received: number | undefined;
  readonly accepted: number | undefined;
  readonly published: number | undefined;
  readonly sent: number | undefined;
  readonly stored: number | undefined;
  readonly conflated: number | undefined;
  readonly cpu: number | undefined;
  readonly publishS: number | undefined;
  readonly commitS: number | undefined;
  readonly forwardS: number | undefined;
  readonly storeS: number | undefined;
  readonly gauges: Reading["gauges"];
}

export const WINDOW_MS = 15_000;
export const STORE_WINDOW_MS = 60_000; // it is written now and then: a shorter window would show waves that are none
const KEPT = 400;

export function read(at: number, look: Look): Reading {
  const all = <Name extends string>(names: Readonly<Record<Name, string>>) =>
    Object.fromEntries(
      (Object.entries(names) as [Name, string][])
        .map(([key, name]) => [key, look(name)] as const)
        .filter(([, value]) => value !== undefined && !Number.isNaN(value)),
    ) as Partial<Record<Name, number>>;
  return { at, counters: all(COUNTERS), gauges: all(GAUGES) };
}

export function flow(before: Reading, long: Reading, now: Reading): Flow {
  const startOf = (name: Counter) => (name.startsWith("store") ? long : before);
  const grown = (name: Counter) => {
    const [from, to] = [startOf(name).counters[name], now.counters[name]];
    return from === undefined || to === undefined ? undefined : to - from;
  };
  const perSecond = (name: Counter) => {
    const by = grown(name);
    const seconds = (now.at - startOf(name).at) / 1000;
    return by === undefined || seconds <= 0 ? undefined : by / seconds;
  };
  const mean = (sum: Counter, number: Counter) => {
    const [whole, times] = [grown(sum), grown(number)];
    return whole === undefined || !times ? undefined : whole / times;
  };
  return {
    at: now.at,
    received: perSecond("received"),
    accepted: perSecond("accepted"),
    published: perSecond("published"),
    sent: perSecond("sent"),
    stored: perSecond("stored"),
    conflated: perSecond("conflated"),
    cpu: perSecond("cpu"),
    publishS: mean("publishSum", "publishCount"),
    commitS: mean("commitSum", "commitCount"),
    forwardS: mean("forwardSum", "forwardCount"),
    storeS: mean("storeSum", "storeCount"),
    gauges: now.gauges,
  };
}

export class Readings {
  private readings: readonly Reading[] = [];
  private flows: readonly Flow[] = [];

  /** A relay that began anew counts from nothing again: so does this. */
  add(reading: Reading): readonly Flow[] {
    const last = this.readings.at(-1);
    if (last && reading.at <= last.at) return this.flows;
    if (last && (Object.keys(COUNTERS) as Counter[]).some((name) => (reading.counters[name] ?? 0) < (last.counters[name] ?? 0))) {
      this.readings = [];
      this.flows = [];
    }
    const since = (ms: number) => this.readings.find(({ at }) => at >= reading.at - ms);
    const [short, long] = [since(WINDOW_MS), since(STORE_WINDOW_MS)];
    this.readings = [...this.readings.filter(({ at }) => at >= reading.at - STORE_WINDOW_MS), reading];
    if (short && long) this.flows = [...this.flows, flow(short, long, reading)].slice(-KEPT);
    return this.flows;
  }
}
