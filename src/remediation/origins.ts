import type { Candidate } from "./merge-fixes.ts";
import type { Origin } from "./schema.ts";

/** Why each changed key becomes what it becomes: by which rules, and where its value comes from. Never a tag value. */
export function originsOf(candidates: readonly Candidate[]): Record<string, Origin> {
  const origins: Record<string, Origin> = Object.create(null);
  for (const { finding, fix } of candidates) {
    const rule = `${finding.policy_id}/${finding.rule_id}`;
    for (const { key, after } of fix.changes) {
      const known = origins[key];
      // Where rules agree about a key, the first says where its value comes from.
      if (known) origins[key] = { ...known, rules: [...new Set([...known.rules, rule])] };
      else origins[key] = { rules: [rule], from: after === null ? whyRemoved(finding) : whyWritten({ finding, fix }) };
    }
  }
  return origins;
}

function whyRemoved({ kind, key }: Candidate["finding"]): string {
  return kind === "forbidden" ? "a forbidden key" : `another spelling of ${key}`;
}

function whyWritten({ finding, fix }: Candidate): string {
  if (fix.from !== null) return fix.from;
  if (finding.kind === "invalid") return "the rule's fix of the old value";
  const spellings = fix.changes.flatMap(({ key, after }) => (after === null ? [key] : []));
  return finding.kind === "variant" ? spellings.join(", ") : "the rule";
}
