/** A sample of the text format of Prometheus: its labels and its value. */
type Sample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};

/** A metric: what HELP and TYPE say of it, and its samples. */
export type Metric = {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: Sample[];
};

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const HELP = new RegExp(`^# HELP (${NAME}) (.+)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (NaN|[+-]?Inf|[+-]?[0-9.]+(?:e[+-]?[0-9]+)?)$`);
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
/** Suffixes of the samples of a type. */
const SUFFIXES: Record<string, readonly string[]> = {
  counter: [""],
  gauge: [""],
  histogram: ["_bucket", "_sum", "_count"],
  summary: ["", "_sum", "_count"],
};

/** Reads the text format, version 0.0.4, and is stricter than Prometheus itself. Throws where something is not as it has to be. */
export function parsePrometheus(text: string): Map<string, Metric> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const metrics = new Map<string, Metric>();
  let help: { name: string; text: string } | null = null;
  let current: Metric | null = null;
  const seen = new Set<string>();
  for (const [index, line] of text.split("\n").entries()) {
    const fault = (what: string) => new Error(`line ${index + 1}: ${what}: ${line}`);
    if (line === "") continue;
    if (line.startsWith("# HELP")) {
      const [, name = "", said = ""] = HELP.exec(line) ?? [];
      if (name === "") throw fault("no HELP");
      help = { name, text: said };
    } else if (line.startsWith("#")) {
      const [, name = "", type = ""] = TYPE.exec(line) ?? [];
      if (name === "") throw fault("no TYPE");
      if (help?.name !== name) throw fault("a TYPE without its HELP");
      if (metrics.has(name)) throw fault("a metric comes twice");
      current = { name, help: help.text, type, samples: [] };
      metrics.set(name, current);
    } else {
      const [, name = "", labels = "", value = ""] = SAMPLE.exec(line) ?? [];
      if (name === "") throw fault("no sample");
      const of: Metric | null = current;
      if (of === null || !SUFFIXES[of.type]?.some((suffix) => name === `${of.name}${suffix}`))
        throw fault("a sample that is not of the metric before it");
      const sample = { name, labels: parseLabels(labels, fault), value: Number(value.replace("Inf", "Infinity")) };
      const series = `${name} ${nameOf(sample.labels)}`;
      if (seen.has(series)) throw fault("a series comes twice");
      seen.add(series);
      of.samples.push(sample);
    }
  }
  for (const metric of metrics.values()) if (metric.type === "histogram") checkHistogram(metric);
  return metrics;
}

function parseLabels(text: string, fault: (what: string) => Error): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const match = LABEL.exec(text);
    if (match === null) throw fault("labels that cannot be read");
    const [, name = "", value = ""] = match;
    if (name in labels) throw fault(`the label ${name} comes twice`);
    labels[name] = value.replaceAll(/\\(["\\n])/g, (_, c: string) => (c === "n" ? "\n" : c));
  }
  return labels;
}

/** The same for the same labels in whatever order. */
function nameOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** The buckets of each series rise, and the last one is the count. */
function checkHistogram({ name, samples }: Metric): void {
  const key = ({ labels }: Sample) =>
    nameOf(Object.fromEntries(Object.entries(labels).filter(([label]) => label !== "le")));
  for (const [series, of] of Map.groupBy(samples, key)) {
    const buckets = of.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => Number(labels["le"]?.replace("Inf", "Infinity")));
    const rising = (values: number[], strictly: boolean) =>
      values.every((value, i) => i === 0 || (strictly ? value > values[i - 1]! : value >= values[i - 1]!));
    const count = of.find((sample) => sample.name === `${name}_count`)?.value;
    const whole =
      rising(bounds, true) &&
      rising(
        buckets.map(({ value }) => value),
        false,
      ) &&
      bounds.at(-1) === Number.POSITIVE_INFINITY &&
      buckets.at(-1)?.value === count &&
      of.some((sample) => sample.name === `${name}_sum`);
    if (!whole) throw new Error(`the histogram ${name} ${series} does not add up`);
  }
}
