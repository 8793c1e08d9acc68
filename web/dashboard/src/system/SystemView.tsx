import { useMemo } from "react";
import { useActors, useAudit, useRelayStatus } from "../../../src";
import { bytes, count, latency, rate } from "../lib/format";
import type { Metrics } from "../lib/useFlows";
import type { Flow } from "../lib/readings";
import { Notice, StaleTag } from "../shell/Notice";
import { ActorTable } from "./ActorTable";
import { HealthPanel } from "./HealthPanel";
import { LedgerPanel } from "./LedgerPanel";
import { describePath } from "./path";
import { PathPicture } from "./PathPicture";
import { TimeSeries } from "./TimeSeries";

const percent = (value: number | undefined) => (value === undefined ? "–" : `${(value * 100).toFixed(0)} %`);

const SERIES: readonly { title: string; of: (flow: Flow) => number | undefined; format: (value: number | undefined) => string }[] = [
  { title: "Ticks received /s", of: (flow) => flow.received, format: rate },
  { title: "Rows stored /s", of: (flow) => flow.stored, format: rate },
  { title: "Rows pending", of: (flow) => flow.gauges.backlog, format: count },
  { title: "Publish", of: (flow) => flow.publishS, format: latency },
  { title: "Spool commit", of: (flow) => flow.commitS, format: latency },
  { title: "Forward to Redis", of: (flow) => flow.forwardS, format: latency },
  { title: "Store batch", of: (flow) => flow.storeS, format: latency },
  { title: "Frames to browsers /s", of: (flow) => flow.sent, format: rate },
  { title: "Memory", of: (flow) => flow.gauges.memory, format: bytes },
  { title: "Processor", of: (flow) => flow.cpu, format: percent },
];

export function SystemView({ metrics }: { readonly metrics: Metrics }) {
  const status = useRelayStatus();
  const actors = useActors();
  const audit = useAudit();
  const now = metrics.flows.at(-1);
  const states = useMemo(() => new Map(actors.data?.map(({ id, state }) => [id, state] as const)), [actors.data]);
  const path = useMemo(() => describePath(status.data, states, now), [status.data, states, now]);
  return (
    <div className="system">
      <section className="panel way" aria-labelledby="way-title" data-stale={status.isStale || metrics.isStale || undefined}>
        <div className="panel-head">
          <h2 id="way-title">From feed to store</h2>
          <span className="count">rates and mean latencies of the last 15 s, of the store those of the last minute</span>
          <StaleTag shown={status.isStale || metrics.isStale} />
        </div>
        {status.data || now ? <PathPicture path={path} /> : status.error ? (
          <Notice kind="error">The relay's state is not known: {status.error.message}.</Notice>
        ) : (
          <Notice kind="loading">Asking for the relay's state…</Notice>
        )}
      </section>
      <HealthPanel status={status} now={now} />
      <ActorTable actors={actors} />
      <LedgerPanel audit={audit} />
      <SeriesPanel metrics={metrics} />
    </div>
  );
}

function SeriesPanel({ metrics: { flows, error, isStale } }: { readonly metrics: Metrics }) {
  return (
    <section className="panel over-time" aria-labelledby="series-title">
      <div className="panel-head">
        <h2 id="series-title">Over time</h2>
        <span className="count">since this page was opened</span>
        <StaleTag shown={isStale && flows.length > 0} />
      </div>
      {flows.length === 0 && error ? (
        <Notice kind="error">The metrics are not known: {error}.</Notice>
      ) : flows.length === 0 ? (
        <Notice kind="loading">Gathering a first interval…</Notice>
      ) : (
        <div className="serieses">
          {SERIES.map(({ title, of, format }) => (
            <TimeSeries key={title} title={title} points={flows.map((flow) => ({ at: flow.at, value: of(flow) }))} format={format} />
          ))}
        </div>
      )}
    </section>
  );
}
