import { setImmediate } from "node:timers/promises";
import type { Database } from "../../db/client.ts";
import { loadSurroundings, type Wanted } from "../../inventory/db/surroundings.ts";
import type { Resource } from "../../inventory/resource.ts";
import { NOT_LOOKED_UP, type Surroundings } from "../../inventory/surroundings.ts";
import { ruleOf } from "../../policy/fix.ts";
import { judge } from "../../policy/judge.ts";
import type { PolicySet } from "../../policy/load.ts";
import type { Changes, FindingRow, Known, Occasion, ResourceRow } from "../changes.ts";
import { reconcile } from "../reconcile.ts";
import { loadLiveAfter } from "./known.ts";
import type { Renamed } from "./rename-rules.ts";

/** A stored resource with its findings, what stands around it, and what another set of policies changes about it. */
export type JudgedAnew = {
  readonly stored: Known & { readonly resource: ResourceRow };
  /** The findings under the names that their rules will have. */
  readonly renamed: readonly FindingRow[];
  readonly around: Surroundings;
  readonly changes: Changes;
};

/** Resources in memory at a time, twice: while some are judged, the next are read. */
const BATCH = 1000;
/** Resources that are judged before the event loop has its turn. */
const TURN = 100;

/**
 * Judges all live resources by a set, batch by batch in order of ARN, and says what that changes. `renamed`: rules whose
 * findings are still stored under their former names. `wanted`: what of the surroundings is looked up.
 */
export async function* judgedAnew(
  database: Database,
  set: PolicySet,
  occasion: Occasion,
  { renamed = [], wanted = wantedFor(set) }: { readonly renamed?: readonly Renamed[]; readonly wanted?: Wanted } = {},
): AsyncGenerator<JudgedAnew[]> {
  const names = new Map(renamed.map(({ from, to }) => [nameOf(from), to]));
  let next = readAfter(database, "", wanted);
  try {
    for (;;) {
      const { batch, around } = await next;
      const end = batch.at(-1);
      if (end === undefined) return;
      next = readAfter(database, end.resource.arn, wanted);
      // It is awaited in the next round; until then its failure is nobody's.
      next.catch(() => {});
      const judged: JudgedAnew[] = [];
      for (const stored of batch) {
        // To send a query takes the driver two round trips: it has to have its turns, or the next batch waits for this one.
        if (judged.length % TURN === 0) await setImmediate();
        const known = underNewNames(stored, names);
        const surroundings = around.get(known.resource.arn) ?? NOT_LOOKED_UP;
        const changes = rejudge(known, set, occasion, surroundings);
        judged.push({ stored, renamed: known.findings, around: surroundings, changes });
      }
      yield judged;
    }
  } finally {
    await next.catch(() => {});
  }
}

/** The activation of a set as an occasion on which findings change. */
export function activation(set: PolicySet, actor: string, now: Date): Occasion {
  const has_rule = (policy_id: string, rule_id: string) => ruleOf(set, policy_id, rule_id) !== undefined;
  return { by: "activation", at: now, scan_id: null, actor, policy_set_id: set.id, has_rule };
}

/** Every former name of a rule of the set, with its present one. */
export function renamesOf(set: PolicySet): Renamed[] {
  return set.policies.flatMap(({ rules }) =>
    rules.flatMap(({ policy_id, rule_id, formerly }) =>
      formerly.map((name) => {
        const [former_policy = "", former_rule = ""] = name.split("/");
        return { from: { policy_id: former_policy, rule_id: former_rule }, to: { policy_id, rule_id } };
      }),
    ),
  );
}

function wantedFor({ needs }: PolicySet): Wanted {
  return { lineage: needs.lineage.size > 0, account: needs.account };
}

async function readAfter(database: Database, arn: string, wanted: Wanted) {
  const batch = await loadLiveAfter(database, arn, BATCH);
  const resources = batch.map(({ resource }) => resource);
  return { batch, around: await loadSurroundings(database, resources, wanted) };
}

/**
 * A resource whose tags were never read has nothing to judge. One whose last reading failed is judged by the one before. One
 * that the judge cannot cope with is unknown, and the others go on.
 */
function rejudge(
  known: Known & { resource: ResourceRow },
  set: PolicySet,
  occasion: Occasion,
  around: Surroundings,
): Changes {
  const { tags, source, tags_read_at, reading_error: error, in_index } = known.resource;
  if (tags === null || source === null || tags_read_at === null) return { resource: null, findings: [], unchanged: 0 };
  const resource: Resource = known.resource;
  const rest = { resource, in_index, confirmed: false };
  try {
    const judgement = judge(set, { resource, tags, now: occasion.at, around });
    const reading = { tags, source, read_at: tags_read_at };
    return reconcile(known, { ...rest, reading, error, judgement }, occasion);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const failed = { name: "JudgeError", message, operation: "judge" };
    return reconcile(known, { ...rest, reading: null, error: failed, judgement: null }, occasion);
  }
}

/** Findings under the names that their rules will have, for a look at what an activation would do. */
function underNewNames<One extends Known>(known: One, names: ReadonlyMap<string, Renamed["to"]>): One {
  if (names.size === 0) return known;
  const taken = new Set(known.findings.map((finding) => `${nameOf(finding)}/${finding.key}`));
  const findings = known.findings.map((finding) => {
    const to = names.get(nameOf(finding));
    return to && !taken.has(`${nameOf(to)}/${finding.key}`) ? { ...finding, ...to } : finding;
  });
  return { ...known, findings };
}

function nameOf({ policy_id, rule_id }: Renamed["to"]): string {
  return `${policy_id}/${rule_id}`;
}
