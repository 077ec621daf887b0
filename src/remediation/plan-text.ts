import { painter, type Tone } from "../terminal/paint.ts";
import { displayWidth, printable } from "../terminal/text.ts";
import type { RemediationCounts } from "./counts.ts";
import { maskChanges, type MaskedBy } from "./mask.ts";
import type { Action, Review } from "./plan.ts";
import type { ActionState, Origin, TagChange } from "./schema.ts";

/** Shown in place of a value that is not there. */
const ABSENT = "(absent)";

/** How text is made for one reader. */
export type TextOptions = {
  readonly color: boolean;
  /** Whether the values of a key must not be shown. */
  readonly isSensitive: (key: string) => boolean;
};

type Shown = Pick<Action, "account_id" | "region" | "arn" | "changes" | "origins" | "reasons" | "left_out"> &
  MaskedBy & {
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
  action: Pick<Shown, "changes" | "origins" | "reasons" | "given"> & MaskedBy,
  { color, isSensitive }: TextOptions,
): string[] {
  const { origins, reasons, given = [] } = action;
  const paint = painter(color);
  const rows = maskChanges(action, isSensitive).map(({ key, before, after }) => ({
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
function resourceName(arn: string): string {
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
