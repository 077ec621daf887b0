import type { Resource } from "../../src/inventory/resource.ts";
import { judge } from "../../src/policy/judge.ts";
import { fixFor, type Fix } from "../../src/policy/fix.ts";
import { compilePolicies, PolicyError, type PolicySet } from "../../src/policy/load.ts";
import type { Judgement } from "../../src/policy/verdict.ts";
import { tagsFrom, type Tags } from "../../src/tags/tags.ts";

export const NOW = new Date("2026-03-01T12:00:00Z");

/** A campaign in one account and region, unless told otherwise. */
export function resource(changes: Partial<Resource> = {}): Resource {
  return {
    arn: "arn:aws:personalize:us-east-1:111122223333:campaign/prod-home",
    account_id: "111122223333",
    region: "us-east-1",
    type: "campaign",
    name: "prod-home",
    status: "ACTIVE",
    created_at: null,
    updated_at: null,
    summary: {},
    ...changes,
  };
}

/** A policy `p` of these rules, each in YAML's flow form; `head` are further lines of the policy. */
export function policy(rules: readonly string[], head: readonly string[] = []): PolicySet {
  const text = ["version: 1", "id: p", ...head, "rules:", ...rules.map((rule) => `  - ${rule}`), ""].join("\n");
  return compilePolicies([{ path: "p.yaml", text }]);
}

/** `rule key kind` of every violation. */
export function found(judgement: Judgement): string[] {
  return judgement.violations.map(({ rule_id, key, kind }) => [rule_id, key, kind].filter(Boolean).join(" "));
}

/** What is found and what is asked for, of a set with one rule, for one resource. */
export function judgeAndFix(set: PolicySet, tags: Tags, on = resource()): { found: string[]; fixes: Fix[] } {
  const judgement = judge(set, on, tags, NOW);
  return { found: found(judgement), fixes: judgement.violations.map((violation) => fixFor(set, violation, on, tags)) };
}

/** The tags after the changes of a fix. */
export function apply(tags: Tags, fix: Fix): Tags {
  if (fix.kind !== "change") return tags;
  const after = new Map(Object.entries(tags));
  for (const change of fix.changes) {
    if (change.after === null) after.delete(change.key);
    else after.set(change.key, change.after);
  }
  return tagsFrom(after);
}

/** The printed problems of policy files, a line each; empty when there are none. Texts are named a.yaml, b.yaml, … */
export function problemsOf(...texts: readonly string[]): string[] {
  try {
    compilePolicies(texts.map((text, index) => ({ path: `${"abcdef"[index]}.yaml`, text })));
    return [];
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return error.message.split("\n");
  }
}
