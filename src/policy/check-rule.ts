import { checkFix } from "./check-fix.ts";
import { checkPattern, restricts } from "./check-pattern.ts";
import { valueCheck } from "./compile.ts";
import type { Complaint } from "./complaint.ts";
import type { Beside } from "./lookup.ts";
import type { Path } from "./parse.ts";
import type { KeyRule, Rule } from "./policy.ts";

/** What is wrong with one rule by itself. */
export function checkRule(rule: Rule, at: Path, beside: Beside): Complaint[] {
  if (!("key" in rule)) return [];
  const pattern = rule.pattern === undefined ? [] : checkPattern(rule.pattern, [...at, "pattern"]);
  // What a broken pattern would refuse cannot be known.
  return pattern.length > 0
    ? pattern
    : [...checkSense(rule, at), ...checkListed(rule, at), ...checkFix(rule, at, beside)];
}

/** Fields that contradict each other or do nothing. */
function checkSense(rule: KeyRule, at: Path): Complaint[] {
  const complaints: Complaint[] = [];
  const has_aliases = rule.aliases !== undefined || rule.any_case;
  if (rule.required === false && !restricts(rule) && !has_aliases && !rule.agrees_with) {
    const hint = "Give it `required: true`, `values`, `pattern`, `format`, `aliases` or `agrees_with`.";
    complaints.push({ at, message: `rule \`${rule.id}\` can never be violated`, hint });
  }
  if (rule.allow_empty && rule.required === false && !restricts(rule)) {
    const message = "`allow_empty` does nothing where nothing refuses an empty value";
    complaints.push({ at: [...at, "allow_empty"], on: "key", message });
  }
  for (const [index, alias] of (rule.aliases ?? []).entries()) {
    const place = [...at, "aliases", index];
    if (alias === rule.key) complaints.push({ at: place, message: `the alias \`${alias}\` is the key itself` });
    else if (rule.any_case && alias.toLowerCase() === rule.key.toLowerCase())
      complaints.push({ at: place, message: `\`any_case\` covers the alias \`${alias}\` already` });
  }
  if (rule.fix.variant === "rename" && !has_aliases) {
    const message = "`fix.variant` does nothing without `aliases` or `any_case`";
    complaints.push({ at: [...at, "fix", "variant"], on: "key", message });
  }
  if (rule.fix.missing !== "review" && rule.required === false) {
    const message = "`fix.missing` does nothing without `required`";
    complaints.push({ at: [...at, "fix", "missing"], on: "key", message });
  }
  if (rule.fix.invalid !== "review" && !restricts(rule) && (rule.required === false || rule.allow_empty)) {
    const message = "`fix.invalid` does nothing where every value is allowed";
    complaints.push({ at: [...at, "fix", "invalid"], on: "key", message });
  }
  return complaints;
}

/** Values that the rule lists and refuses. */
function checkListed(rule: KeyRule, at: Path): Complaint[] {
  const passes = valueCheck(rule);
  return (rule.values ?? []).flatMap((value, index) => {
    if (value.includes("*") || passes(value, false)) return [];
    const message = `the rule lists \`${value}\` and refuses it by \`pattern\` or \`format\``;
    return [{ at: [...at, "values", index], message }];
  });
}
