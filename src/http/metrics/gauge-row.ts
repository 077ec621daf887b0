import { Gauge, type Registry } from "prom-client";

/** A gauge as a row of a table: how its samples follow from what was read. A null is a sample that is left out. */
export type GaugeRow<T> = {
  readonly name: string;
  readonly help: string;
  /** Name of its one label; null: it has none. */
  readonly label: string | null;
  readonly samples: (figures: T) => number | null | Readonly<Record<string, number>>;
};

/** Puts the samples of such a table into a registry. A gauge without samples is left out: its HELP alone would say nothing. */
export function addGauges<T>(registry: Registry, rows: readonly GaugeRow<T>[], figures: T): void {
  for (const { name, help, label, samples } of rows) {
    const value = samples(figures);
    if (value === null) continue;
    const gauge = new Gauge({ name, help, labelNames: label === null ? [] : [label], registers: [registry] });
    if (typeof value === "number") gauge.set(value);
    else if (label !== null) for (const [of, count] of Object.entries(value)) gauge.set({ [label]: of }, count);
  }
}
