import type { Child } from "hono/jsx";
import { age, count, instant, percent, title } from "./words.ts";

/** An instant with its age, both readable by people and machines. */
export function Time(props: { at: Date | null; now: Date; absent?: string }) {
  if (props.at === null) return <span class="muted">{props.absent ?? "never"}</span>;
  return (
    <time datetime={props.at.toISOString()} title={instant(props.at)}>
      {age(props.at, props.now)}
    </time>
  );
}

/** An instant in full, and its age behind. */
export function FullTime(props: { at: Date | null; now: Date; absent?: string }) {
  if (props.at === null) return <span class="muted">{props.absent ?? "never"}</span>;
  return (
    <>
      <time datetime={props.at.toISOString()}>{instant(props.at)}</time>{" "}
      <span class="muted">({age(props.at, props.now)})</span>
    </>
  );
}

type Tone = "good" | "bad" | "quiet" | "unsure" | "busy";

/** What each word of a state means for the reader. */
const TONES: Record<string, Tone> = {
  compliant: "good",
  noncompliant: "bad",
  exempt: "quiet",
  unknown: "unsure",
  not_applicable: "quiet",
  open: "bad",
  resolved: "good",
  complete: "good",
  succeeded: "good",
  partial: "unsure",
  denied: "bad",
  failed: "bad",
  held: "unsure",
  pending: "busy",
  queued: "busy",
  running: "busy",
  critical: "bad",
  high: "bad",
  medium: "unsure",
  low: "quiet",
};

/** A state in words, with a shape and a colour that repeat it. */
export function Chip(props: { state: string; children?: Child }) {
  const tone = TONES[props.state] ?? "quiet";
  return (
    <span class={`chip c-${tone}`}>
      <svg viewBox="0 0 10 10" aria-hidden="true">
        {SHAPES[tone]}
      </svg>
      {props.children ?? title(props.state)}
    </span>
  );
}

/** Shapes of ten by ten, in the colour of the text around. */
const SHAPES = {
  good: <path d="M1 5.2 4 8.2 9 2" fill="none" stroke="currentColor" stroke-width="2" />,
  bad: <path d="M5 .6 9.8 9.4H.2z" fill="currentColor" />,
  unsure: (
    <circle cx="5" cy="5" r="3.7" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="2.6 1.6" />
  ),
  busy: <path d="M2 1v8l7-4z" fill="currentColor" />,
  quiet: <rect x="1.2" y="3.8" width="7.6" height="2.4" fill="currentColor" />,
} as const;

/** The four counts that a share is made of. */
export type FourCounts = {
  readonly compliant: number;
  readonly noncompliant: number;
  readonly exempt: number;
  readonly unknown: number;
};

const PARTS = ["compliant", "noncompliant", "exempt", "unknown"] as const;
const FILLS = {
  compliant: { class: "f-compliant" },
  noncompliant: { class: "f-noncompliant" },
  exempt: { fill: "url(#dots-exempt)" },
  unknown: { fill: "url(#hatch-unknown)" },
} as const;

/** The four counts as one bar. A part that is not empty is never too thin to be seen. */
export function FourBar(props: { counts: FourCounts; thin?: boolean }) {
  const { counts } = props;
  const total = PARTS.reduce((sum, part) => sum + counts[part], 0);
  const widths = segmentWidths(PARTS.map((part) => counts[part]));
  let x = 0;
  const label = total === 0 ? "Nothing judged" : PARTS.map((part) => `${count(counts[part])} ${part}`).join(", ");
  return (
    <svg
      class={props.thin === true ? "bar bar-thin" : "bar"}
      viewBox="0 0 1000 18"
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      {PARTS.map((part, index) => {
        const width = widths[index] ?? 0;
        const start = x;
        x += width;
        return width === 0 ? null : (
          <rect {...FILLS[part]} x={start} y="0" width={Math.max(1, width - (x >= 999.5 ? 0 : 3))} height="18" />
        );
      })}
    </svg>
  );
}

/** A single number against the largest, as a bar. */
export function SizeBar(props: { value: number; max: number; label: string }) {
  const width = props.max === 0 ? 0 : Math.max(4, Math.round((props.value / props.max) * 1000));
  return (
    <svg class="bar bar-thin" viewBox="0 0 1000 18" preserveAspectRatio="none" role="img" aria-label={props.label}>
      {props.value === 0 ? null : <rect class="f-noncompliant" x="0" y="0" width={width} height="18" />}
    </svg>
  );
}

/** A swatch of the same fill as in the bar. */
export function Swatch(props: { part: (typeof PARTS)[number] }) {
  return (
    <svg viewBox="0 0 12 34" aria-hidden="true">
      <rect {...FILLS[props.part]} width="12" height="34" />
    </svg>
  );
}

/** A share with its sign; a dash and a reason for the ear when nothing was judged. */
export function Percent(props: { ratio: number | null }) {
  if (props.ratio === null)
    return (
      <span class="zero" aria-label="nothing judged">
        –
      </span>
    );
  return <>{percent(props.ratio)} %</>;
}

/** A count that leads to exactly as many rows. */
export function CountLink(props: { value: number; href: string; label: string }) {
  if (props.value === 0) return <span class="zero">0</span>;
  return (
    <a href={props.href} aria-label={`${count(props.value)} ${props.label}`}>
      {count(props.value)}
    </a>
  );
}

function segmentWidths(values: readonly number[]): number[] {
  const total = values.reduce((sum, value) => sum + value, 0);
  if (total === 0) return values.map(() => 0);
  const least = 12;
  const raw = values.map((value) => (value === 0 ? 0 : Math.max(least, (value / total) * 1000)));
  const sum = raw.reduce((all, width) => all + width, 0);
  return raw.map((width) => (width / sum) * 1000);
}

/** An account by its name, where one is known, and always by its number. */
export function AccountName(props: { id: string; names: ReadonlyMap<string, string> }) {
  const name = props.names.get(props.id);
  return <>{name === undefined ? props.id : `${name} (${props.id})`}</>;
}

/** Account and region, in a cell of a table. */
export function Place(props: { account_id: string; region?: string; names: ReadonlyMap<string, string> }) {
  const name = props.names.get(props.account_id);
  const below = [name === undefined ? undefined : props.account_id, props.region].filter((part) => part !== undefined);
  return (
    <>
      {name ?? props.account_id}
      {below.length === 0 ? null : <span class="sub">{below.join(" · ")}</span>}
    </>
  );
}
