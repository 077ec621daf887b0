import type { PlanRow } from "../remediation/store.ts";
import type { ShownPlanState } from "./db/plans.ts";
import type { Action } from "../remediation/plan.ts";
import { maskChanges, type MaskedBy } from "../remediation/mask.ts";
import type { ActionState, TagChange } from "../remediation/schema.ts";
import { printable } from "../terminal/text.ts";

type Written = Pick<Action, "account_id" | "region" | "arn" | "changes"> & MaskedBy & { readonly state: ActionState };

/**
 * The waiting actions of a plan as a POSIX shell script of AWS CLI calls. It checks nothing of what applying checks, and says
 * so. Each account's part runs where the credentials are of that account, so that one script serves several. A value
 * that must not be shown cannot be written by it.
 */
export function planScript(
  plan: Pick<PlanRow, "id" | "hash" | "created_by" | "created_at">,
  state: ShownPlanState,
  actions: readonly Written[],
  isSensitive: (key: string) => boolean,
): string {
  // Nobody is to run what was turned down or is too old.
  const isOver = state === "rejected" || state === "expired";
  const waiting = isOver ? [] : actions.filter((action) => action.state === "planned");
  const byAccount = Map.groupBy(waiting, ({ account_id }) => account_id);
  return [
    ...head(plan, state, waiting.length, actions.length),
    ...[...byAccount].flatMap(([account_id, ofAccount]) => [
      "",
      `if [ "$account" = ${quoted(account_id)} ]; then`,
      // A part in which nothing may be shown has comments only, and a shell wants a command there.
      "  :",
      ...ofAccount.flatMap((action) => callsOf(action, isSensitive)),
      "else",
      `  echo ${quoted(`Left out: ${count(ofAccount.length)} of account ${account_id}. Run this again with its credentials.`)} >&2`,
      "fi",
    ]),
  ]
    .map((line) => `${line}\n`)
    .join("");
}

function head(
  plan: Pick<PlanRow, "id" | "hash" | "created_by" | "created_at">,
  state: ShownPlanState,
  waiting: number,
  all: number,
): string[] {
  return [
    "#!/bin/sh",
    comment(`Plan ${plan.id}: ${state}, made by ${plan.created_by} at ${plan.created_at.toISOString()}`),
    comment(`Hash ${plan.hash}`),
    comment(`${waiting} of ${all} actions: those that wait to be applied.`),
    "#",
    "# This script writes without looking. It does not do what `tagwarden apply` does: it does not ask whether the plan is",
    "# approved and the changes still wanted, does not read the tags before it writes, so that it overwrites what others have",
    "# changed since, does not read them back, keeps no record to undo it by, and stops at the first error.",
    "set -eu",
    "account=$(aws sts get-caller-identity --query Account --output text)",
  ];
}

/** One call for what is set and one for what is removed; in that order, so that no value is ever off the resource. */
function callsOf(action: Written, isSensitive: (key: string) => boolean): string[] {
  const { arn, region, changes } = action;
  const shown = maskChanges(action, isSensitive);
  const lines = ["", comment(arn), ...shown.map((change) => comment(changeWords(change)))];
  const hidden = changes
    .filter(({ after }, index) => after !== null && shown[index]?.after !== after)
    .map(({ key }) => key);
  if (hidden.length > 0) {
    const words = `Not written here, because the value of ${hidden.join(", ")} must not be shown: tagwarden apply writes it.`;
    return [...lines, comment(words)].map(indented);
  }
  const tags = changes.flatMap(({ key, after }) => (after === null ? [] : [{ tagKey: key, tagValue: after }]));
  const keys = changes.filter(({ after }) => after === null).map(({ key }) => key);
  const place = `--region ${quoted(region)} --resource-arn ${quoted(arn)}`;
  // As JSON: the shorthand of the CLI gives a meaning to commas, `=`, and to texts that begin with file:// or -.
  if (tags.length > 0) lines.push(`aws personalize tag-resource ${place} --tags ${quoted(JSON.stringify(tags))}`);
  if (keys.length > 0) lines.push(`aws personalize untag-resource ${place} --tag-keys ${quoted(JSON.stringify(keys))}`);
  return lines.map(indented);
}

function changeWords({ key, before, after }: TagChange): string {
  const word = (value: string | null) => (value === null ? "(absent)" : JSON.stringify(value));
  return `${key}: ${word(before)} → ${word(after)}`;
}

/** A line that the shell ignores, whatever is in the text. */
function comment(text: string): string {
  return `# ${printable(text)}`;
}

function indented(line: string): string {
  return line === "" ? "" : `  ${line}`;
}

/** One word of the shell, taken literally: within single quotes nothing but these has a meaning. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function count(resources: number): string {
  return `${resources} ${resources === 1 ? "resource" : "resources"}`;
}
