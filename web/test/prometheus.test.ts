import { expect, test } from "vitest";
import { metricQuantile, metricSum, metricValue, parseMetrics } from "../src/index.js";

const TEXT = `# HELP tickwire_feed_state 1 for the state it is in
# TYPE tickwire_feed_state gauge
tickwire_feed_state{feed="simulated",state="live"} 1.0
tickwire_feed_state{feed="simulated",state="down"} 0.0
# TYPE odd counter
odd{path="a\\\\b \\"c\\"\\n,}"} 3 1700000000000
eta NaN
# TYPE store histogram
store_bucket{le="0.1"} 5
store_bucket{le="0.5"} 15
store_bucket{le="+Inf"} 20
store_sum 4.5
store_count 20
not a line
`;

const metrics = parseMetrics(TEXT);

test("samples are found by name and labels", () => {
  expect(metricValue(metrics, "tickwire_feed_state", { state: "live" })).toBe(1);
  expect(metricSum(metrics, "tickwire_feed_state")).toBe(1);
  expect(metricValue(metrics, "tickwire_feed_state", { state: "ended" })).toBeUndefined();
  expect(metricSum(metrics, "nothing")).toBeUndefined();
  expect(metricValue(metrics, "eta")).toBeNaN();
  expect(metrics.samples.get("odd")).toEqual([{ labels: { path: 'a\\b "c"\n,}' }, value: 3 }]);
});

test("families have their help and kind", () => {
  expect(metrics.families.get("tickwire_feed_state")).toEqual({ help: "1 for the state it is in", type: "gauge" });
  expect(metrics.families.get("store")).toEqual({ help: "", type: "histogram" });
});

test("a quantile is linear within its bucket, of all or of what came since", () => {
  expect(metricQuantile(metrics, "store", 0.5)).toBeCloseTo(0.1 + 0.4 * (5 / 10));
  expect(metricQuantile(metrics, "store", 0.1)).toBeCloseTo(0.04);
  expect(metricQuantile(metrics, "store", 0.99)).toBe(0.5);
  const later = parseMetrics(TEXT.replace('le="0.5"} 15', 'le="0.5"} 25').replace('le="+Inf"} 20', 'le="+Inf"} 30'));
  expect(metricQuantile(later, "store", 0.5, { before: metrics })).toBeCloseTo(0.3);
  expect(metricQuantile(metrics, "store", 0.5, { before: metrics })).toBeUndefined();
  expect(metricQuantile(metrics, "nothing", 0.5)).toBeUndefined();
});
