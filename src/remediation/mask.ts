import type { PolicySet } from "../policy/load.ts";
import type { Action } from "./plan.ts";
import type { TagChange } from "./schema.ts";

const MASKED = "***";

/**
 * Which keys hold values that some rule marks `sensitive: true`. Case and punctuation make no difference, so that a misspelt key is no
 * way around; the view `reporting.sensitive_keys` does the same.
 */
export function sensitiveKeys(set: PolicySet): (key: string) => boolean {
  const rules = set.policies.flatMap((policy) => policy.rules).filter((rule) => rule.sensitive);
  const keys = rules.flatMap((rule) => {
    if (rule.about === "key") return [rule.key, ...rule.aliases];
    return rule.about === "assert" ? rule.condition.tag_keys : [];
  });
  const folded = new Set(keys.map(fold));
  const patterns = rules.flatMap((rule) => (rule.about === "forbidden" ? [rule.forbids] : []));
  return (key) => folded.has(fold(key)) || patterns.some((forbids) => forbids(key));
}

/** A key of nothing but punctuation stays as it is. */
function fold(key: string): string {
  return key.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, "") || key;
}

/** What else of an action may hold a sensitive value, by key: what its decision read. */
export type MaskedBy = Partial<Pick<Action, "decided_on" | "reads_from">>;

/**
 * The changes of an action with values masked where they are sensitive, or hold a sensitive value that the decision read, as one that a
 * template builds; null, for absent, stays.
 */
export function maskChanges(
  { changes, decided_on = {}, reads_from = [] }: MaskedBy & Pick<Action, "changes">,
  isSensitive: (key: string) => boolean,
): TagChange[] {
  const read = [...Object.entries(decided_on), ...reads_from.map(({ key, value }) => [key, value] as const)];
  const secrets = read.flatMap(([key, value]) => (value && isSensitive(key) ? [value] : []));
  const isHidden = (key: string, value: string) => isSensitive(key) || secrets.some((secret) => value.includes(secret));
  const mask = (key: string, value: string | null) => (value !== null && isHidden(key, value) ? MASKED : value);
  return changes.map(({ key, before, after }) => ({ key, before: mask(key, before), after: mask(key, after) }));
}

/** An action as it may be shown: everywhere in it the values of sensitive keys are masked. */
export function maskAction<
  T extends Pick<Action, "changes" | "decided_on" | "reads_from"> & {
    readonly tags_before?: Readonly<Record<string, string>> | null;
    readonly tags_after?: Readonly<Record<string, string>> | null;
  },
>(action: T, isSensitive: (key: string) => boolean): T {
  const shown = maskChanges(action, isSensitive);
  const hidden = new Set(shown.filter((one, index) => isMasked(one, action.changes[index])).map(({ key }) => key));
  const value = (key: string, text: string | null) =>
    text !== null && (isSensitive(key) || hidden.has(key)) ? MASKED : text;
  const mask = (tags: Readonly<Record<string, string | null>>) =>
    Object.fromEntries(Object.entries(tags).map(([key, text]) => [key, value(key, text)]));
  const { tags_before, tags_after } = action;
  return {
    ...action,
    changes: shown,
    decided_on: mask(action.decided_on),
    reads_from: action.reads_from.map((read) => ({ ...read, value: value(read.key, read.value) })),
    ...(tags_before && { tags_before: mask(tags_before) }),
    ...(tags_after && { tags_after: mask(tags_after) }),
  };
}

/** Whether something in a change was masked. */
function isMasked(shown: TagChange, change: TagChange | undefined): boolean {
  return shown.before !== change?.before || shown.after !== change.after;
}
