import type { Database } from "../../db/client.ts";
import { storedSubject } from "../../findings/db/stored-subject.ts";
import { fixFor } from "../../policy/fix.ts";
import { compilePolicies, PolicyError, type PolicyFile, type PolicySet } from "../../policy/load.ts";
import { wantedForRepair } from "../../policy/needs.ts";
import { managedByStack, obstacleOf } from "../../policy/obstacle.ts";
import { activeSet } from "../../policy/store.ts";
import type { Subject } from "../../policy/subject.ts";
import type { FindingRow, ResourceRow } from "../../reports/store.ts";

/** What a person can type to repair a finding, or why there is nothing to type. */
export type Advice = { readonly commands: readonly string[]; readonly note: string | null };

/** Says what to do about an open finding of one resource; null for one that is resolved. */
export type Advise = (finding: FindingRow) => Advice | null;

/** How reports write a value that a rule calls sensitive. */
const MASKED = "***";

/** The advice of the active policies. Compiled once for each set, because pages ask at every request. */
export class RepairAdvice {
  #set: PolicySet | null = null;

  /** Advice on the findings of a resource. */
  async load(database: Database, resource: ResourceRow, now: Date): Promise<Advise> {
    const active = await activeSet(database);
    if (active === null) this.#set = null;
    else if (this.#set?.id !== active.id) this.#set = compileIfPossible(active.files);
    const set = this.#set;
    if (set === null) return () => null;
    const stored = await storedSubject(database, resource.arn, wantedForRepair(set.needs), now);
    const subject = "subject" in stored ? stored.subject : null;
    return (finding) => advise(set, finding, resource, subject);
  }
}

/** A set that an older version stored may be refused by this one: pages do without advice then. */
function compileIfPossible(files: readonly PolicyFile[]): PolicySet | null {
  try {
    return compilePolicies(files);
  } catch (error) {
    if (error instanceof PolicyError) return null;
    throw error;
  }
}

/**
 * No command touches what something else manages, or writes a value that is masked. Pure. `resource`: as it is shown;
 * `subject`: as it is judged; null: its tags were never read, or it is gone by now.
 */
export function advise(
  set: PolicySet,
  finding: FindingRow,
  resource: ResourceRow,
  subject: Subject | null,
): Advice | null {
  if (finding.state !== "open") return null;
  const note = (text: string): Advice => ({ commands: [], note: text });
  if (finding.kind === "fight") {
    const commands = [`tagwarden fights end ${quote(finding.arn)} ${quote(finding.key)} --reason '…'`];
    return { commands, note: "Find out who reverts the repair and settle it with them; then end the fight." };
  }
  if (resource.tags === null || subject === null) return note("Its tags were never read, so nothing can be said.");
  if (resource.stack !== null) return note(`${managedByStack(resource.stack, resource.type)}.`);
  if (finding.sensitive || Object.values(resource.tags).includes(MASKED)) {
    return note("A rule calls values of this resource sensitive, so no command is shown.");
  }
  const fix = fixFor(set, finding, subject);
  if (fix.kind === "off") return note("The policy only reports; a person decides what to do.");
  if (fix.kind === "review") return note(`A person has to choose: ${fix.reason}.`);
  const obstacle = obstacleOf(set, subject, resource.stack, [finding.policy_id]);
  if (obstacle !== null) return note(`Not to be repaired here: ${obstacle}.`);
  // A value that comes from elsewhere may come from where it is sensitive.
  if (fix.from !== null && set.policies.some(({ rules }) => rules.some(({ sensitive }) => sensitive)))
    return note(`The value comes from ${fix.from}, and a rule calls some values sensitive, so no command is shown.`);
  return { commands: commandsFor(finding, fix.changes), note: null };
}

function commandsFor(
  { region, arn }: Pick<FindingRow, "region" | "arn">,
  changes: readonly { readonly key: string; readonly after: string | null }[],
): string[] {
  const target = `--region ${quote(region)} --resource-arn ${quote(arn)}`;
  const set = changes.flatMap(({ key, after }) => (after === null ? [] : [{ tagKey: key, tagValue: after }]));
  const removed = changes.flatMap(({ key, after }) => (after === null ? [key] : []));
  return [
    ...(set.length > 0 ? [`aws personalize tag-resource ${target} --tags ${quote(JSON.stringify(set))}`] : []),
    ...(removed.length > 0
      ? [`aws personalize untag-resource ${target} --tag-keys ${quote(JSON.stringify(removed))}`]
      : []),
  ];
}

/** One word of a POSIX shell, whatever it holds. */
function quote(word: string): string {
  return /^[\w./:@=+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
