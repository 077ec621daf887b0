import { eq } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { scans } from "../../inventory/schema.ts";
import type { PolicySet } from "../../policy/load.ts";
import { wantedForRepair } from "../../policy/needs.ts";
import { findingFilter, type PlanFilters, resourceFilter } from "../filters.ts";
import {
  askedValues,
  type GivenValue,
  isArnPattern,
  problemsOfValues,
  problemsOn,
  toGiven,
  valuesFor,
} from "../given-values.ts";
import { loadPlannable, unknownArns } from "../load.ts";
import { type Draft, planChanges, type PlannableResource } from "../plan.ts";
import { sensitiveKeys } from "../mask.ts";
import { createPlan, isUuid, type PlanRow } from "../store.ts";

/** What a person asks to be planned. */
export type PlanRequest = PlanFilters & {
  /** Values that take the place of what rules derive; absent: what rules derive. An empty list gives nothing, and plans nothing. */
  readonly values?: readonly GivenValue[] | undefined;
  /** These may replace values that are there. */
  readonly overwrite?: boolean | undefined;
  /** What was wrong where the values were read: said together with what else is. */
  readonly problems?: readonly string[] | undefined;
};

/** `refused`: nothing was stored, for all these reasons. `idle`: values that answer no open finding. */
export type Proposed =
  | {
      readonly outcome: "proposed";
      /** Null: there is nothing to do. */
      readonly plan: PlanRow | null;
      readonly draft: Draft;
      readonly idle: readonly GivenValue[];
    }
  | { readonly outcome: "refused"; readonly problems: readonly string[] };

/** Plans what is asked for, and stores it as a proposal that waits for approval. */
export async function proposePlan(
  database: Database,
  set: PolicySet,
  request: PlanRequest,
  about: { readonly actor: string; readonly now: Date; readonly life_ms?: number | undefined },
): Promise<Proposed> {
  const { values, overwrite = false, accounts, regions, types, scan_id } = request;
  const { actor, now, life_ms } = about;
  const problems = new Set(await problemsOf(database, set, request));
  const scope = { accounts, regions, types, ...(scan_id !== undefined && isUuid(scan_id) && { scan_id }) };
  const find = valuesFor(values ?? []);
  const idle = new Set(values);
  const isMeant = resourceFilter(request, sensitiveKeys(set));

  async function* meant(): AsyncGenerator<PlannableResource[]> {
    for await (const page of loadPlannable(database, scope, wantedForRepair(set.needs))) {
      const kept = page.filter(isMeant);
      if (values === undefined) {
        yield kept;
        continue;
      }
      const asking = kept.map((one) => ({ one, asked: askedValues(set, one, find(one.resource.arn)) }));
      for (const { one, asked } of asking) {
        for (const value of asked) idle.delete(value);
        for (const problem of problemsOn(set, one, asked, now)) problems.add(problem);
      }
      yield asking.filter(({ asked }) => asked.length > 0).map(({ one }) => one);
    }
  }

  const isSelected = findingFilter(request);
  const draft = await planChanges(set, meant(), {
    mode: "plan",
    now,
    selected: (_, finding) => isSelected(finding),
    ...(values && { given: ({ arn }) => toGiven(find(arn), { overwrite, from: `given by ${actor}` }) }),
  });
  if (problems.size > 0) return { outcome: "refused", problems: [...problems].sort(byPlace) };
  const plan = await createPlan(database, draft, {
    mode: "plan",
    policy_set_id: set.id,
    actor,
    now,
    ...(life_ms !== undefined && { life_ms }),
  });
  return { outcome: "proposed", plan, draft, idle: [...idle] };
}

/** What is wrong with a request before any resource is planned. */
async function problemsOf(
  database: Database,
  set: PolicySet,
  { values = [], arns = [], problems = [], scan_id }: PlanRequest,
): Promise<string[]> {
  const named = values.map(({ arn }) => arn).filter((arn) => isArnPattern(arn) && arn !== "*");
  const unknown = await unknownArns(database, [...arns, ...named]);
  const say = (arn: string) =>
    `${arn.includes("*") ? "no resource matches" : "there is no resource"} ${arn}. What is known was listed by a scan: tagwarden scan`;
  const isKnown =
    scan_id === undefined || (isUuid(scan_id) && (await database.$count(scans, eq(scans.id, scan_id))) > 0);
  return [
    ...problems,
    ...(isKnown ? [] : [`--scan: there is no scan ${scan_id}. They are listed by: tagwarden scans list`]),
    ...arns.filter((arn) => unknown.has(arn)).map((arn) => `--arn: ${say(arn)}`),
    ...problemsOfValues(set, values),
    ...values.filter(({ arn }) => unknown.has(arn)).map(({ at, arn }) => `${at}: ${say(arn)}`),
  ];
}

/** The lines of a file in their order. */
function byPlace(one: string, other: string): number {
  return one.localeCompare(other, "en", { numeric: true });
}
