import type { ReactNode } from "react";
import type { LinkInfo, Query, RelayStatus } from "../../../src";
import { bytes, count, NONE, plural, rate, span } from "../lib/format";
import type { Flow } from "../lib/readings";
import { Notice, StaleTag } from "../shell/Notice";
import { GLYPHS, levelOf } from "./path";

interface Props {
  readonly status: Query<RelayStatus | undefined>;
  readonly now: Flow | undefined;
}

export function HealthPanel({ status, now }: Props) {
  const { data } = status;
  return (
    <section className="panel health" aria-labelledby="health-title" data-stale={status.isStale || undefined}>
      <div className="panel-head">
        <h2 id="health-title">Feeds, Redis, store</h2>
        <StaleTag shown={status.isStale && data !== undefined} />
      </div>
      {data ? <Health data={data} now={now} /> : status.error ? (
        <Notice kind="error">The relay's state is not known: {status.error.message}.</Notice>
      ) : (
        <Notice kind="loading">Asking for the relay's state…</Notice>
      )}
    </section>
  );
}

function Health({ data, now }: { readonly data: RelayStatus; readonly now: Flow | undefined }) {
  const gauges = now?.gauges ?? {};
  const { store } = data;
  return (
    <div className="cards">
      {Object.entries(data.feeds).map(([name, feed]) => (
        <Card key={name} title={`Feed ${name}`} link={feed}>
          <Figure name="ticks/s">{rate(now?.received)}</Figure>
          <Figure name="clock ahead of UTC">{gauges.offset === undefined ? NONE : span(gauges.offset)}</Figure>
        </Card>
      ))}
      {Object.keys(data.feeds).length === 0 && <Notice kind="empty">No feed has said anything yet.</Notice>}
      <Card title="Redis" link={data.redis}>
        <Figure name="memory">{bytes(gauges.redisMemory)}{gauges.redisMost ? ` of ${bytes(gauges.redisMost)}` : ""}</Figure>
        <Figure name="commands/s">{rate(gauges.redisOps)}</Figure>
        <Figure name="clients">{count(gauges.redisClients)}</Figure>
        <Figure name="keys evicted" bad={(gauges.redisEvicted ?? 0) > 0}>{count(gauges.redisEvicted)}</Figure>
        <Figure name="up for">{gauges.redisUptime === undefined ? NONE : span(gauges.redisUptime)}</Figure>
      </Card>
      <Card title="Store" link={store}>
        <Figure name="rows pending, about">{count(store.pending)}</Figure>
        <Figure name="rows/s">{rate(now?.stored)}</Figure>
        <Figure name="last batch">{store.last_batch_rows == null ? NONE : plural(store.last_batch_rows, "row")}</Figure>
        <Figure name="quarantined" bad={(store.quarantined ?? 0) > 0} mark="quarantined">{count(store.quarantined)}</Figure>
        {store.catching_up && <Figure name="caught up in">{store.eta_s == null ? "no end in sight" : span(store.eta_s)}</Figure>}
      </Card>
    </div>
  );
}

function Card({ title, link, children }: { readonly title: string; readonly link: LinkInfo; readonly children: ReactNode }) {
  const level = levelOf(link.state);
  return (
    <article className="card" data-level={level}>
      <h3>{title} <span className="state" data-level={level}><span aria-hidden="true">{GLYPHS[level]} </span>{link.state}</span></h3>
      {link.detail && <p className="detail">{link.detail}</p>}
      <dl>{children}</dl>
    </article>
  );
}

interface FigureProps {
  readonly name: string;
  readonly children: ReactNode;
  readonly bad?: boolean;
  readonly mark?: string;
}

function Figure({ name, children, bad = false, mark }: FigureProps) {
  return <div data-bad={bad || undefined}><dt>{name}</dt><dd data-figure={mark}>{bad && "⚠ "}{children}</dd></div>;
}
