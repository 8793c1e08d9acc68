import { metricSum, useActors, useAudit, useMetrics, useRelayStatus } from "tickwire-react";

export function Health() {
  const { data: status, error } = useRelayStatus({ intervalMs: 5_000 });
  const { data: actors } = useActors();
  const { data: audit } = useAudit();
  const { data: metrics } = useMetrics();
  if (!status) return <p>{error ? error.message : "…"}</p>;
  return (
    <ul>
      <li>Redis {status.redis.state}, store {status.store.state}</li>
      <li>{actors?.filter(({ restarts }) => restarts > 0).length ?? 0} actors have been restarted</li>
      <li>{audit?.balanced ? "every tick is accounted for" : "the ledger is not balanced"}</li>
      <li>{metrics && metricSum(metrics, "tickwire_ticks_accepted_total")} ticks are safe</li>
    </ul>
  );
}
