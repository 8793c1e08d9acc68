import type { Audit, Query } from "../../../src";
import { count, dateAndTime, plural } from "../lib/format";
import { Notice, StaleTag } from "../shell/Notice";
import { off, total, type Account } from "./ledger";

const HOLES_SHOWN = 8;

export function LedgerPanel({ audit }: { readonly audit: Query<Audit | undefined> }) {
  const { data } = audit;
  return (
    <section className="panel ledger" aria-labelledby="ledger-title">
      <div className="panel-head">
        <h2 id="ledger-title">Ledger</h2>
        {data && <Verdict audit={data} />}
        <StaleTag shown={audit.isStale && data !== undefined} />
      </div>
      {data ? <Accounts audit={data} /> : audit.error ? (
        <Notice kind="error">The ledger is not known: {audit.error.message}.</Notice>
      ) : (
        <Notice kind="loading">Reading the ledger…</Notice>
      )}
    </section>
  );
}

function Verdict({ audit }: { readonly audit: Audit }) {
  const by = audit.accounts.reduce((sum, account) => sum + off(account), 0);
  const level = audit.balanced ? "good" : "bad";
  return (
    <span className="tag" data-level={level} data-balanced={audit.balanced}>
      {audit.balanced ? "✓ balanced" : `✕ off by ${plural(by, "tick")}`}
    </span>
  );
}

function Accounts({ audit }: { readonly audit: Audit }) {
  if (audit.accounts.length === 0) return <Notice kind="empty">Nothing has been received yet.</Notice>;
  return (
    <>
      <div className="scroll" tabIndex={0} role="group" aria-labelledby="ledger-title">
        <table>
          <thead>
            <tr>
              <th scope="col">Asset</th>
              {["Received", "Stored", "Pending", "Duplicate", "Rejected", "Quarantined", "Lost", "Off by"].map((name) => (
                <th key={name} scope="col" className="number">{name}</th>
              ))}
            </tr>
          </thead>
          <tbody>{audit.accounts.map((account) => <AccountRow key={account.asset} account={account} />)}</tbody>
        </table>
      </div>
      {audit.unreadable_entries > 0 && <p className="panel-foot bad">⚠ {count(audit.unreadable_entries)} of the spool's entries can't be read.</p>}
      {audit.holes.length > 0 ? (
        <div className="panel-foot">
          <h3>Holes on record</h3>
          <ul className="holes">
            {audit.holes.slice(-HOLES_SHOWN).reverse().map((hole) => (
              <li key={`${hole.asset} ${hole.from_us} ${hole.to_us}`}><b>{hole.asset}</b> {dateAndTime(hole.from_us / 1e6)} to {dateAndTime(hole.to_us / 1e6)}: {hole.reason}</li>
            ))}
          </ul>
        </div>
      ) : (
        <p className="panel-foot">No hole is on record.</p>
      )}
    </>
  );
}

function AccountRow({ account }: { readonly account: Account }) {
  const figures = [account.received, account.stored, account.pending, account.duplicates, total(account.rejected)];
  const grave = [account.quarantined, total(account.lost), off(account)];
  return (
    <tr>
      <th scope="row">{account.asset}</th>
      {figures.map((figure, i) => <td key={i} className="number">{count(figure)}</td>)}
      {grave.map((figure, i) => <td key={i} className="number" data-bad={figure > 0 || undefined}>{figure > 0 && "⚠ "}{count(figure)}</td>)}
    </tr>
  );
}
