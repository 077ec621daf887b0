import type { Database } from "../../db/client.ts";
import { fixFor } from "../../policy/fix.ts";
import { compilePolicies, PolicyError, type PolicyFile, type PolicySet } from "../../policy/load.ts";
import { activeSet } from "../../policy/store.ts";
import type { FindingRow, ResourceRow } from "../../reports/store.ts";

/** What a person can type to repair a finding, or why there is nothing to type. */
export type Advice = { readonly commands: readonly string[]; readonly note: string | null };

/** Says what to do about an open finding of a resource; null for one that is resolved. */
export type Advise = (finding: FindingRow, resource: ResourceRow) => Advice | null;

/** How reports write a value that a rule calls sensitive. */
const MASKED = "***";

/** The advice of the active policies. Compiled once for each set, because pages ask at every request. */
export class RepairAdvice {
  #set: PolicySet | null = null;

  async load(database: Database, now: Date): Promise<Advise> {
    const active = await activeSet(database);
    if (active === null) this.#set = null;
    else if (this.#set?.id !== active.id) this.#set = compileIfPossible(active.files);
    const set = this.#set;
    return (finding, resource) => (set === null ? null : advise(set, finding, resource, now));
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

/** Pure. No command touches what a stack manages, or writes a value that was masked. */
export function advise(set: PolicySet, finding: FindingRow, resource: ResourceRow, now: Date): Advice | null {
  if (finding.state !== "open") return null;
  const note = (text: string): Advice => ({ commands: [], note: text });
  if (resource.tags === null) return note("Its tags were never read, so nothing can be said.");
  if (resource.stack !== null) {
    return note(
      `The CloudFormation stack ${resource.stack} manages it: change the template, or the next update of the stack undoes it.`,
    );
  }
  if (finding.sensitive || Object.values(resource.tags).includes(MASKED)) {
    return note("A rule calls values of this resource sensitive, so no command is shown.");
  }
  const service = { ...resource, status: resource.service_status, updated_at: null, summary: {} };
  const fix = fixFor(set, finding, { resource: service, tags: resource.tags, now });
  if (fix.kind === "off") return note("The policy only reports; a person decides what to do.");
  if (fix.kind === "review") return note(`A person has to choose: ${fix.reason}.`);
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
