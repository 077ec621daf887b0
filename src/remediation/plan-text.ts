import type { PolicySet } from "../policy/load.ts";
import { painter, type Tone } from "../terminal/paint.ts";
import { displayWidth, printable } from "../terminal/text.ts";
import type { RemediationCounts } from "./counts.ts";
import type { Action, Review } from "./plan.ts";
import type { ActionState, Origin, TagChange } from "./schema.ts";

const MASKED = "***";

/** Shown in place of a value that is not there. */
const ABSENT = "(absent)";

/** How text is made for one reader. */
export type TextOptions = {
  readonly color: boolean;
  /** Whether the values of a key must not be shown. */
  readonly isSensitive: (key: string) => boolean;
};

/** Which keys hold values that some rule marks `sensitive: true`. */
export function sensitiveKeys(set: PolicySet): (key: string) => boolean {
  const rules = set.policies.flatMap((policy) => policy.rules).filter((rule) => rule.sensitive);
  const keys = new Set(
    rules.flatMap((rule) => {
      if (rule.about === "key") return [rule.key, ...rule.aliases];
      return rule.about === "assert" ? rule.condition.tag_keys : [];
    }),
  );
  const folded = new Set(
    rules.flatMap((rule) => (rule.about === "key" && rule.any_case ? [rule.key.toLowerCase()] : [])),
  );
  const patterns = rules.flatMap((rule) => (rule.about === "forbidden" ? [rule.forbids] : []));
  return (key) => keys.has(key) || folded.has(key.toLowerCase()) || patterns.some((forbids) => forbids(key));
}

/** The changes with values masked where they are sensitive; null, for absent, stays. */
export function maskChanges(changes: readonly TagChange[], isSensitive: (key: string) => boolean): TagChange[] {
  return changes.map(({ key, before, after }) =>
    isSensitive(key)
      ? { key, before: before === null ? null : MASKED, after: after === null ? null : MASKED }
      : { key, before, after },
  );
}

/** An action as it may be shown: everywhere in it the values of sensitive keys are masked. */
export function maskAction<
  T extends Pick<Action, "changes" | "decided_on" | "reads_from"> & {
    readonly tags_before?: Readonly<Record<string, string>> | null;
    readonly tags_after?: Readonly<Record<string, string>> | null;
  },
>(action: T, isSensitive: (key: string) => boolean): T {
  const value = (key: string, text: string | null) => (text !== null && isSensitive(key) ? MASKED : text);
  const mask = (tags: Readonly<Record<string, string | null>>) =>
    Object.fromEntries(Object.entries(tags).map(([key, text]) => [key, value(key, text)]));
  const { tags_before, tags_after } = action;
  return {
    ...action,
    changes: maskChanges(action.changes, isSensitive),
    decided_on: mask(action.decided_on),
    reads_from: action.reads_from.map((read) => ({ ...read, value: value(read.key, read.value) })),
    ...(tags_before && { tags_before: mask(tags_before) }),
    ...(tags_after && { tags_after: mask(tags_after) }),
  };
}

type Shown = Pick<Action, "account_id" | "region" | "arn" | "changes" | "origins" | "reasons" | "left_out"> & {
  readonly given?: readonly string[];
  /** Its number in a stored plan. */
  readonly position?: number;
  readonly protected?: boolean;
  /** Left out where all are planned. */
  readonly state?: ActionState;
  readonly note?: string | null;
};

/** Every resource with the before and after of its keys, in aligned columns, grouped by account and region. */
export function formatActions(actions: readonly Shown[], options: TextOptions): string {
  const paint = painter(options.color);
  const lines: string[] = [];
  let place = "";
  for (const action of actions) {
    const here = `${action.account_id} ${action.region}`;
    if (here !== place) lines.push(...(place === "" ? [] : [""]), paint("bold", here));
    place = here;
    const rules = [...new Set(action.reasons.map(({ policy_id, rule_id }) => `${policy_id}/${rule_id}`))].join(", ");
    const state =
      action.state === undefined || action.state === "planned" ? "" : `  ${paint(toneOf(action.state), action.state)}`;
    const number = action.position === undefined ? "" : `${paint("dim", `#${action.position}`)} `;
    lines.push(
      `  ${number}${resourceName(action.arn)}${state}  ${paint("dim", rules)}${action.protected ? paint("dim", " (protected)") : ""}`,
    );
    lines.push(...formatChanges(action, options).map((line) => `    ${line}`));
    for (const [key, why] of action.changes.length === 0 ? [] : Object.entries(action.left_out ?? {}))
      lines.push(`    = ${printable(key)}  stays: ${printable(why)}`);
    if (action.note) lines.push(`    ${printable(action.note)}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

function formatChanges(
  { changes, origins, reasons, given = [] }: Pick<Shown, "changes" | "origins" | "reasons" | "given">,
  { color, isSensitive }: TextOptions,
): string[] {
  const paint = painter(color);
  const rows = maskChanges(changes, isSensitive).map(({ key, before, after }) => ({
    key: printable(key),
    before: before === null ? ABSENT : value(before),
    after: after === null ? ABSENT : value(after),
    sign: before === null ? "+" : after === null ? "-" : "~",
    origin: originWords(Object.hasOwn(origins, key) ? origins[key] : undefined, {
      given: given.includes(key),
      before,
      after,
      several: reasons.length > 1,
    }),
  }));
  const width = (name: "key" | "before") => Math.max(...rows.map((row) => displayWidth(row[name])));
  return rows.map(({ key, before, after, sign, origin }) => {
    const line = `${sign} ${pad(key, width("key"))}  ${pad(before, width("before"))} → ${after}`;
    return paint(sign === "+" ? "green" : sign === "-" ? "red" : "yellow", line) + paint("dim", origin);
  });
}

/**
 * Where a value comes from, and by which rules where the resource has `several`; that a given one replaces another is said, because no
 * rule names that.
 */
function originWords(
  origin: Origin | undefined,
  { given, before, after, several }: Pick<TagChange, "before" | "after"> & { given: boolean; several: boolean },
): string {
  if (origin === undefined) return "";
  const rules = several && origin.rules.length > 0 ? `, ${origin.rules.join(", ")}` : "";
  const from = after === null || given ? origin.from : `from ${origin.from}`;
  const overwrites = given && before !== null && before !== "";
  return `  (${printable(from)}${rules}${overwrites ? ", overwrites" : ""})`;
}

/** What needs a person, grouped by why, so that the same reason is read once. */
export function formatReview(review: readonly Review[], { color }: Pick<TextOptions, "color">): string {
  const paint = painter(color);
  const groups = Map.groupBy(review, (one) => `${one.policy_id}/${one.rule_id}: ${one.reason}`);
  return [...groups]
    .map(([reason, members]) => {
      const shown = members.slice(0, 10).map((one) => `    ${one.account_id} ${one.region} ${resourceName(one.arn)}\n`);
      const more = members.length > 10 ? `    … and ${members.length - 10} more\n` : "";
      return `  ${paint("yellow", printable(reason))}\n${shown.join("")}${more}`;
    })
    .join("");
}

const OUTCOMES: readonly (readonly [Exclude<keyof RemediationCounts, "planned">, string])[] = [
  ["verified", "written, and read back as planned"],
  ["unchanged", "already as planned"],
  ["conflict", "someone else changed it since the plan; left alone"],
  ["failed", "tried, and not seen as planned"],
  ["blocked", "may not or could not be tried"],
  ["skipped", "no longer asked for"],
];

/** The counts of a plan, a line each; what did not happen is left out. */
export function formatCounts(counts: RemediationCounts, { color }: Pick<TextOptions, "color">): string {
  const paint = painter(color);
  return OUTCOMES.filter(([name]) => counts[name] > 0)
    .map(
      ([name, meaning]) => `${String(counts[name]).padStart(6)} ${paint(toneOf(name), name.padEnd(9))}  ${meaning}\n`,
    )
    .join("");
}

/** The last part of an ARN, which says type and name. */
export function resourceName(arn: string): string {
  return printable(arn.split(":").slice(5).join(":") || arn);
}

/** Quoted where spaces or nothing would not be seen. */
function value(text: string): string {
  return text === "" || text !== text.trim() || text === ABSENT ? JSON.stringify(text) : printable(text);
}

function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

function toneOf(state: ActionState): Tone {
  if (state === "verified" || state === "unchanged") return "green";
  return state === "conflict" || state === "failed" ? "red" : "yellow";
}
