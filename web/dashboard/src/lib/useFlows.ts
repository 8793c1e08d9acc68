import { useEffect, useRef, useState } from "react";
import { metricSum, useMetrics } from "../../../src";
import { read, Readings, type Flow } from "./readings";

export interface Metrics {
  readonly flows: readonly Flow[];
  readonly error: string | undefined;
  readonly isStale: boolean;
}

/** What flowed since the page was opened, whichever view is shown. */
export function useFlows(): Metrics {
  const { data, error, isStale } = useMetrics();
  const readings = useRef<Readings>(null);
  const [flows, setFlows] = useState<readonly Flow[]>([]);
  useEffect(() => {
    if (!data) return;
    readings.current ??= new Readings();
    setFlows(readings.current.add(read(Date.now(), (name, labels) => metricSum(data, name, labels))));
  }, [data]);
  return { flows, error: error?.message, isStale };
}
