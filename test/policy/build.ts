import type { Ancestor } from "../../src/inventory/lineage.ts";
import type { Resource } from "../../src/inventory/resource.ts";
import type { Surroundings } from "../../src/inventory/surroundings.ts";
import { judge } from "../../src/policy/judge.ts";
import { fixFor, type Fix } from "../../src/policy/fix.ts";
import { compilePolicies, PolicyError, type PolicySet } from "../../src/policy/load.ts";
import type { Subject } from "../../src/policy/subject.ts";
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

/** Surroundings of which everything is known, nearest ancestor first; `tags` null: an ancestor that could not be read. */
export function around(
  ancestors: readonly Pick<Ancestor, "type" | "name" | "tags">[],
  account?: { readonly name: string; readonly tags: Tags },
): Surroundings {
  return {
    lineage: {
      known: true,
      ancestors: ancestors.map(({ type, name, tags }) => ({
        arn: `arn:aws:personalize:us-east-1:111122223333:${type}/${name}`,
        type,
        name,
        tags,
        unread: tags === null ? "AccessDeniedException" : null,
      })),
    },
    account: account ? { known: true, ...account } : { known: false, reason: "its account was not looked up" },
  };
}

/** A campaign with these tags, now; with nothing around it, unless told otherwise. */
export function subject(tags: Tags, on = resource(), around?: Surroundings): Subject {
  return { resource: on, tags, now: NOW, ...(around && { around }) };
}

/** `rule key kind` of every violation. */
export function found(judgement: Judgement): string[] {
  return judgement.violations.map(({ rule_id, key, kind }) => [rule_id, key, kind].filter(Boolean).join(" "));
}

/** What is found and what is asked for, of a set with one rule, for one resource. */
export function judgeAndFix(
  set: PolicySet,
  tags: Tags,
  on = resource(),
  around?: Surroundings,
): { found: string[]; fixes: Fix[] } {
  const judged = subject(tags, on, around);
  const judgement = judge(set, judged);
  return { found: found(judgement), fixes: judgement.violations.map((violation) => fixFor(set, violation, judged)) };
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
