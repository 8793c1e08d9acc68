import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import type { AssetInfo, Query } from "../../../src";
import { useChoice } from "../lib/choice";
import { changeSince, type DayOpens } from "../lib/dayOpen";
import { count } from "../lib/format";
import { useHint, useKeys } from "../lib/keys";
import { byOf, chosenOrder, ordered, pressed, type By, type Order } from "../lib/order";
import { Notice, StaleTag } from "../shell/Notice";
import { WatchRow } from "./WatchRow";

const MOST = 500; // a connection may have 512 channels

interface Props {
  readonly assets: Query<readonly AssetInfo[] | undefined>;
  readonly selected: string | null;
  readonly opens: DayOpens;
  readonly onSelect: (asset: string) => void;
}

export function Watchlist({ assets, selected, opens, onSelect }: Props) {
  const [wanted, setWanted] = useState("");
  const search = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const all = useMemo(() => assets.data?.slice(0, MOST) ?? [], [assets.data]);
  const order = useChoice(chosenOrder);
  const hint = useHint();
  const shown = useMemo(() => {
    const text = wanted.trim().toLowerCase();
    const found = text ? all.filter(({ asset }) => asset.toLowerCase().includes(text)) : all;
    return ordered(found, order, ({ asset, price }) => changeSince(opens.get(asset), price));
  }, [all, wanted, order, opens]);
  const place = shown.findIndex(({ asset }) => asset === selected);
  const idOf = (index: number) => `asset-${index}`;

  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [selected]);

  const step = (key: string): boolean => {
    const next = { ArrowDown: place + 1, ArrowUp: place < 0 ? 0 : place - 1, Home: 0, End: shown.length - 1 }[key];
    if (next === undefined) return false;
    const row = shown[Math.max(0, Math.min(shown.length - 1, next))];
    if (row) onSelect(row.asset);
    return true;
  };
  useKeys((key, event) => {
    if (key === "/") search.current?.focus();
    else if (!document.activeElement?.matches("body, button") || !step(key)) return; // what can be scrolled takes these keys
    event.preventDefault();
  });
  const onListKey = (event: KeyboardEvent) => {
    if (step(event.key)) event.preventDefault();
  };
  const onSearchKey = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      setWanted("");
      list.current?.focus();
    } else if (event.key === "ArrowDown" || event.key === "Enter") {
      const first = shown[0];
      if (first && place < 0) onSelect(first.asset);
      list.current?.focus();
      event.preventDefault();
    }
  };

  return (
    <section className="panel watch" aria-labelledby="assets-title">
      <div className="panel-head">
        <h2 id="assets-title">Watchlist</h2>
        <span className="count">{all.length > 0 && (shown.length < all.length ? `${shown.length} of ${all.length}` : count(all.length))}</span>
        <StaleTag shown={assets.isStale && all.length > 0} />
        <input ref={search} type="search" placeholder={hint("Search", "/")} aria-label="Search assets" autoComplete="off" spellCheck={false}
          value={wanted} onChange={(event) => setWanted(event.target.value)} onKeyDown={onSearchKey} />
      </div>
      {shown.length > 0 && (
        <div className="columns" role="group" aria-label="Sort by">
          <Column by="name" order={order} title="by name">Asset</Column>
          <span aria-hidden="true">Trend</span>
          <span aria-hidden="true">Price</span>
          <Column by="change" order={order} title="by the change since the open of today's candle, 00:00 UTC">Day</Column>
          <Column by="rate" order={order} title="by ticks a second">Rate</Column>
        </div>
      )}
      <WatchNotice assets={assets} wanted={wanted} shown={shown.length} />
      <ul ref={list} id="assets" className="rows" role="listbox" aria-labelledby="assets-title" tabIndex={0} hidden={shown.length === 0}
        aria-activedescendant={place < 0 ? undefined : idOf(place)} onKeyDown={onListKey}>
        {shown.map((info, index) => (
          <WatchRow key={info.asset} id={idOf(index)} info={info} selected={info.asset === selected} opens={opens} onSelect={onSelect} />
        ))}
      </ul>
      {shown.length > 0 && (
        <p className="panel-foot">Day: since today's open, 00:00 UTC{assets.data && assets.data.length > MOST ? ` · the first ${MOST} of ${assets.data.length} assets` : ""}</p>
      )}
    </section>
  );
}

interface ColumnProps {
  readonly by: By;
  readonly order: Order;
  readonly title: string;
  readonly children: string;
}

/** The assets are put in order anew with each reading of them, not with each tick: rows would jump under the pointer. */
function Column({ by, order, title, children }: ColumnProps) {
  const on = byOf(order) === by;
  const up = order === by;
  return (
    <button type="button" aria-pressed={on} title={title} onClick={() => chosenOrder.set(pressed(order, by))}>
      {children}
      {on && <span aria-hidden="true">{up ? "↑" : "↓"}</span>}
      {on && <span className="spoken">{up ? " ascending" : " descending"}</span>}
    </button>
  );
}

function WatchNotice({ assets, wanted, shown }: { readonly assets: Props["assets"]; readonly wanted: string; readonly shown: number }) {
  if (shown > 0) return null;
  if (assets.data?.length) return <Notice kind="empty">No asset is called like “{wanted.trim()}”.</Notice>;
  if (assets.error) return <Notice kind="error">The assets are not known: {assets.error.message}.</Notice>;
  if (assets.data) return <Notice kind="empty">No tick yet. Assets appear with their first one.</Notice>;
  return <Notice kind="loading">Asking for the assets…</Notice>;
}
