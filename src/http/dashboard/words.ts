/** How numbers, shares and instants are said on the pages. Pure. */

const NUMBER = new Intl.NumberFormat("en-US");

/** `12,345` */
export function count(value: number): string {
  return NUMBER.format(value);
}

/** `1 finding`, `2 findings` */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A ratio of 0..1, already rounded down to three decimals: `83.4`, `100`; null: `–`, because nothing was judged. */
export function percent(ratio: number | null): string {
  if (ratio === null) return "–";
  return ratio === 1 ? "100" : (ratio * 100).toFixed(1);
}

/** `2026-03-01 12:00 UTC` */
export function instant(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** `just now`, `5 min ago`, `3 h ago`, `12 days ago`; `in 3 h` when it lies ahead. */
export function age(at: Date, now: Date): string {
  const seconds = Math.round((now.getTime() - at.getTime()) / 1000);
  const span = duration(Math.abs(seconds));
  if (Math.abs(seconds) < 45) return "just now";
  return seconds > 0 ? `${span} ago` : `in ${span}`;
}

/** `40 s`, `5 min`, `3 h`, `12 days`, `7 months`: the largest unit, rounded down. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  const days = Math.floor(seconds / 86_400);
  if (days < 120) return days === 1 ? "1 day" : `${days} days`;
  return days < 730 ? `${Math.floor(days / 30)} months` : `${Math.floor(days / 365)} years`;
}

/** `dataset-group` → `Dataset group`; `fixed_by_remediation` → `Fixed by remediation`. */
export function title(word: string): string {
  const text = word.replaceAll(/[-_]/g, " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
