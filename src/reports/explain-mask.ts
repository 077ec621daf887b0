import type { ExplainedRule, ExplainedViolation } from "../policy/explain.ts";
import { tagsFrom, type Tags } from "../tags/tags.ts";

/** What was judged and what rules made of it, as it may be shown. */
export type Shown = { readonly tags: Tags; readonly rules: readonly ExplainedRule[] };

const MASKED = "***";

/** An explanation without the values of keys that are sensitive, and of keys that look like one of them. */
export function maskExplanation({ tags, rules }: Shown, isSensitive: (key: string) => boolean): Shown {
  const slips = new Set(
    rules
      .flatMap(({ violations }) => violations)
      .flatMap(({ key, near_miss }) => (near_miss?.of === "key" && isSensitive(key) ? [near_miss.found] : [])),
  );
  const isHidden = (key: string) => isSensitive(key) || slips.has(key);
  const maskTags = (tags: Tags) =>
    tagsFrom(Object.entries(tags).map(([key, value]) => [key, isHidden(key) ? MASKED : value]));
  return {
    tags: maskTags(tags),
    rules: rules.map((rule) => ({
      ...rule,
      saw: maskTags(rule.saw),
      violations: rule.violations.map((violation) => maskViolation(violation, isHidden)),
    })),
  };
}

function maskViolation(violation: ExplainedViolation, isHidden: (key: string) => boolean): ExplainedViolation {
  const { key, near_miss, fix } = violation;
  const shown = near_miss?.of === "value" && isHidden(key) ? { ...near_miss, found: MASKED, meant: MASKED } : near_miss;
  if (fix.kind !== "change") return { ...violation, near_miss: shown };
  const maskOne = (key: string, value: string | null) => (value !== null && isHidden(key) ? MASKED : value);
  const changes = fix.changes.map(({ key, after }) => ({ key, after: maskOne(key, after) }));
  const reads_from = fix.reads_from.map((read) => ({ ...read, value: maskOne(read.key, read.value) }));
  return { ...violation, near_miss: shown, fix: { ...fix, changes, reads_from } };
}
