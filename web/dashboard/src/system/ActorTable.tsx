import { useEffect, useRef, useState } from "react";
import type { ActorInfo, Query } from "../../../src";
import { count, plural } from "../lib/format";
import { Notice, StaleTag } from "../shell/Notice";
import { GLYPHS, levelOf } from "./path";

const FLASH_MS = 4000;

export function ActorTable({ actors }: { readonly actors: Query<readonly ActorInfo[] | undefined> }) {
  const all = actors.data ?? [];
  const running = all.filter(({ state }) => state === "running").length;
  const restarts = all.reduce((sum, actor) => sum + actor.restarts, 0);
  return (
    <section className="panel actors" aria-labelledby="actors-title" data-stale={actors.isStale || undefined}>
      <div className="panel-head">
        <h2 id="actors-title">Actors</h2>
        {all.length > 0 && <span className="count">{running} of {all.length} running, {plural(restarts, "restart")}</span>}
        <StaleTag shown={actors.isStale && all.length > 0} />
      </div>
      {all.length > 0 ? (
        <div className="scroll" tabIndex={0} role="group" aria-labelledby="actors-title">
          <table>
            <thead>
              <tr><th scope="col">Actor</th><th scope="col">State</th><th scope="col" className="number">Restarts</th><th scope="col" className="number">Mailbox</th><th scope="col" className="number">Oldest</th></tr>
            </thead>
            <tbody>{all.map((actor) => <ActorRow key={actor.id} actor={actor} />)}</tbody>
          </table>
        </div>
      ) : actors.error ? (
        <Notice kind="error">The actors' states are not known: {actors.error.message}.</Notice>
      ) : actors.data ? (
        <Notice kind="empty">No actor runs.</Notice>
      ) : (
        <Notice kind="loading">Asking for the actors' states…</Notice>
      )}
    </section>
  );
}

function ActorRow({ actor }: { readonly actor: ActorInfo }) {
  const level = levelOf(actor.state);
  const flashing = useFlash(actor.restarts);
  return (
    <tr data-actor={actor.id} data-restarted={flashing || undefined}>
      <th scope="row">
        {actor.id}
        {actor.last_error && <small className="bad">last error: {actor.last_error}</small>}
      </th>
      <td data-level={level}><span aria-hidden="true">{GLYPHS[level]} </span>{actor.state}</td>
      <td className="number" data-restarts="">{actor.restarts}</td>
      <td className="number">{count(actor.mailbox_depth)}</td>
      <td className="number">{actor.oldest_age_s ? `${actor.oldest_age_s.toFixed(1)} s` : "–"}</td>
    </tr>
  );
}

/** For a while after the number has grown. */
function useFlash(number: number): boolean {
  const before = useRef(number);
  const [on, setOn] = useState(false);
  useEffect(() => {
    if (number <= before.current) {
      before.current = number;
      return undefined;
    }
    before.current = number;
    setOn(true);
    const over = setTimeout(() => setOn(false), FLASH_MS);
    return () => clearTimeout(over);
  }, [number]);
  return on;
}
