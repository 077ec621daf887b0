import { sql } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import type { FileExemption } from "../../exemptions/check.ts";
import { coveredBy } from "../../exemptions/covers.ts";
import { exemptionsInForce } from "../../exemptions/store.ts";
import { activation, judgedAnew, type JudgedAnew, renamesOf } from "../../findings/db/judged-anew.ts";
import { unitKey } from "../../findings/db/known.ts";
import type { FindingChange, FindingRow } from "../../findings/changes.ts";
import { units } from "../../inventory/schema.ts";
import { wantedForRepair } from "../../policy/needs.ts";
import { compilePolicies, type PolicySet } from "../../policy/load.ts";
import { activeSet } from "../../policy/store.ts";
import { sensitiveKeys } from "../../remediation/mask.ts";
import { planResource } from "../../remediation/plan.ts";
import { presentNames } from "../../exemptions/present-names.ts";
import { ownerOf } from "../../tags/owner.ts";
import { type Preview, complianceOf, type PreviewedResource, PreviewTally } from "../preview.ts";

/** What would be activated: a set, and what files beside it exempt. */
export type Previewed = { readonly set: PolicySet; readonly exemptions: readonly FileExemption[] };

/** What is shown while a preview is made: resources so far, of how many. */
export type OnProgress = (done: number, total: number) => void;

type World = {
  readonly now: Date;
  /** Null: none is active. */
  readonly before: PolicySet | null;
  readonly after: PolicySet;
  readonly covers: { readonly before: ReturnType<typeof coveredBy>; readonly after: ReturnType<typeof coveredBy> };
  readonly isListed: (unit: string) => boolean;
  readonly isSensitive: (key: string) => boolean;
};

/**
 * What a set of policies would change if it were activated now: findings, compliance and planned writes, over all stored
 * resources as they were last read. Nothing is asked of AWS and nothing is written. It sees the database as it is at its
 * beginning, whatever scans write meanwhile, and holds two batches of resources in memory. Without an active set everything is new.
 */
export function preview(
  database: Database,
  { set, exemptions }: Previewed,
  now: Date,
  onProgress: OnProgress = () => {},
): Promise<Preview> {
  return database.transaction(
    async (transaction) => {
      const world = await lookAround(transaction, { set, exemptions }, now);
      const total = await countLive(transaction);
      const needs = [world.before, set].flatMap((one) => (one ? wantedForRepair(one.needs) : []));
      const wanted = {
        lineage: needs.some(({ lineage }) => lineage) || set.needs.lineage.size > 0,
        account: needs.some(({ account }) => account),
      };
      const tally = new PreviewTally();
      const renamed = renamesOf(set);
      let done = 0;
      for await (const batch of judgedAnew(transaction, set, activation(set, "", now), { renamed, wanted })) {
        for (const one of batch) tally.add(previewOne(world, one));
        done += batch.length;
        onProgress(done, total);
      }
      return tally.result();
    },
    { isolationLevel: "repeatable read", accessMode: "read only" },
  );
}

async function lookAround(transaction: Database, { set, exemptions }: Previewed, now: Date): Promise<World> {
  const active = await activeSet(transaction);
  const before = active && compilePolicies(active.files);
  const inForce = await exemptionsInForce(transaction);
  const made = inForce.filter(({ source }) => source !== "file");
  const written = exemptions.filter(
    ({ starts_at, expires_at }) => (starts_at === null || starts_at <= now) && expires_at > now,
  );
  const isListed = new Set(
    (await transaction.select().from(units)).filter(({ listed }) => listed).map((unit) => unitKey(unit)),
  );
  const hidden = [before, set].flatMap((one) => (one ? sensitiveKeys(one) : []));
  return {
    now,
    before,
    after: set,
    covers: {
      before: coveredBy(inForce),
      after: coveredBy([...made.map((one) => presentNames(one, set.policies)), ...written]),
    },
    isListed: (unit) => isListed.has(unit),
    isSensitive: (key) => hidden.some((isSensitive) => isSensitive(key)),
  };
}

function previewOne(world: World, { stored, renamed, around, changes }: JudgedAnew): PreviewedResource {
  const { resource } = stored;
  const listed = world.isListed(unitKey(resource));
  const touched = new Set(changes.findings.map(({ finding }) => finding.id));
  const kept = renamed.filter(({ id, state }) => state === "open" && !touched.has(id));
  const opened = changes.findings.flatMap(({ event, finding }) => (event === "resolved" ? [] : finding));
  const side = (name: "before" | "after", row: typeof resource, findings: readonly FindingRow[]) => {
    const open = findings.map((finding) => ({ finding, exempt: world.covers[name](finding, resource) }));
    return {
      compliance: complianceOf(row, listed, open),
      writes: writesFor(world[name], { resource, around, now: world.now }, open),
    };
  };
  const openBefore = stored.findings.filter(({ state }) => state === "open");
  const before = side("before", resource, openBefore);
  const after = side("after", changes.resource ?? resource, [...kept, ...opened]);
  return {
    account_id: resource.account_id,
    owner: ownerOf(resource.tags, world.isSensitive),
    compliance: { before: before.compliance, after: after.compliance },
    changes: changes.findings.map(({ event, finding: { policy_id, rule_id } }) => ({
      policy_id,
      rule_id,
      change: CHANGES[event],
    })),
    writes: { before: before.writes, after: after.writes },
  };
}

const CHANGES = {
  opened: "opens",
  reopened: "opens",
  changed: "changes",
  resolved: "closes",
} as const satisfies Record<FindingChange["event"], string>;

const NO_WRITES: PreviewedResource["writes"]["before"] = { changes: 0, rules: [], blocked: 0, review: 0 };

/** What a plan would do about the findings that nobody exempted. */
function writesFor(
  set: PolicySet | null,
  {
    resource,
    around,
    now,
  }: Pick<JudgedAnew, "around"> & Pick<JudgedAnew["stored"], "resource"> & { readonly now: Date },
  open: readonly { readonly finding: FindingRow; readonly exempt: boolean }[],
): PreviewedResource["writes"]["before"] {
  const findings = open
    .filter(({ exempt }) => !exempt)
    .map(({ finding: { id, policy_id, rule_id, key, kind } }) => ({ finding_id: id, policy_id, rule_id, key, kind }))
    .sort((a, b) => (a.finding_id < b.finding_id ? -1 : 1));
  if (set === null || findings.length === 0) return NO_WRITES;
  const { tags, stack, reading_error } = resource;
  const unread = reading_error?.name ?? null;
  const draft = planResource(set, { resource, tags, unread, stack, around, findings }, { mode: "plan", now });
  const [action] = draft.actions;
  const rules = action?.reasons.map(({ policy_id, rule_id }) => `${policy_id}/${rule_id}`) ?? [];
  return {
    changes: action?.changes.length ?? 0,
    rules: [...new Set(rules)],
    blocked: draft.blocked.length,
    review: draft.review.length,
  };
}

async function countLive(transaction: Database): Promise<number> {
  const [row] = await transaction
    .select({ count: sql<number>`count(*)::integer` })
    .from(sql`resources`)
    .where(sql`gone_at is null`);
  return row?.count ?? 0;
}
