// Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/), read into samples by name.

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

export interface MetricFamily {
  readonly help: string;
  readonly type: string;
}

export interface Metrics {
  /** By the name that stands in the line: a histogram's are `…_bucket`, `…_sum`, `…_count`. */
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
  readonly families: ReadonlyMap<string, MetricFamily>;
}

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*$/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const SPECIAL: Readonly<Record<string, number>> = { "+Inf": Infinity, "-Inf": -Infinity, Inf: Infinity, NaN: NaN };

export function parseMetrics(text: string): Metrics {
  const samples = new Map<string, Sample[]>();
  const families = new Map<string, MetricFamily>();
  for (const line of text.split("\n")) {
    if (line.startsWith("#")) {
      describe(families, line);
      continue;
    }
    const [, name, labels, value] = LINE.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const sample = { labels: readLabels(labels ?? ""), value: SPECIAL[value] ?? Number(value) };
    const known = samples.get(name);
    if (known) known.push(sample);
    else samples.set(name, [sample]);
  }
  return { samples, families };
}

function describe(families: Map<string, MetricFamily>, line: string): void {
  const [, kind, name, text] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
  if (name === undefined || text === undefined) return;
  const before = families.get(name) ?? { help: "", type: "untyped" };
  families.set(name, kind === "HELP" ? { ...before, help: text } : { ...before, type: text });
}

function readLabels(text: string): Labels {
  const labels: Record<string, string> = {};
  for (const [, name, value] of text.matchAll(LABEL)) {
    if (name !== undefined && value !== undefined) labels[name] = value.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
  }
  return labels;
}

const matches = (sample: Sample, wanted: Labels) => Object.entries(wanted).every(([name, value]) => sample.labels[name] === value);

/** The first sample that has all these labels. */
export function metricValue(metrics: Metrics, name: string, labels: Labels = {}): number | undefined {
  return metrics.samples.get(name)?.find((sample) => matches(sample, labels))?.value;
}

/** The sum of all that have them; undefined where there are none. */
export function metricSum(metrics: Metrics, name: string, labels: Labels = {}): number | undefined {
  const found = metrics.samples.get(name)?.filter((sample) => matches(sample, labels));
  return found?.length ? found.reduce((sum, { value }) => sum + value, 0) : undefined;
}

/**
 * The quantile `q` (0 … 1) of a histogram, of what came since `before` where that is given, linear within its bucket as
 * Prometheus' histogram_quantile is. Undefined where nothing came.
 */
export function metricQuantile(metrics: Metrics, name: string, q: number, options: { before?: Metrics | undefined; labels?: Labels } = {}): number | undefined {
  const now = buckets(metrics, name, options.labels);
  const then = options.before ? buckets(options.before, name, options.labels) : new Map<number, number>();
  const counts = [...now].map(([bound, count]) => [bound, count - (then.get(bound) ?? 0)] as const).sort(([a], [b]) => a - b);
  const rank = q * (counts.at(-1)?.[1] ?? 0);
  if (!(rank > 0)) return undefined;
  let [lower, below] = [0, 0];
  for (const [bound, count] of counts) {
    if (count >= rank) return bound === Infinity ? lower : lower + ((bound - lower) * (rank - below)) / (count - below);
    [lower, below] = [bound, count];
  }
  return undefined;
}

function buckets(metrics: Metrics, name: string, labels: Labels = {}): Map<number, number> {
  const found = new Map<number, number>();
  for (const sample of metrics.samples.get(`${name}_bucket`) ?? []) {
    const { le } = sample.labels;
    if (le === undefined || !matches(sample, labels)) continue;
    const bound = SPECIAL[le] ?? Number(le);
    found.set(bound, (found.get(bound) ?? 0) + sample.value);
  }
  return found;
}
