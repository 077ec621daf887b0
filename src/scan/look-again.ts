import type { Database } from "../db/client.ts";
import { loadKnown } from "../findings/db/known.ts";
import { recordSight, type Sight } from "../findings/db/record-sight.ts";
import { describeResource } from "../inventory/aws/describe-resource.ts";
import { readServiceTags } from "../inventory/aws/read-tags.ts";
import type { Aws, TargetApi } from "../inventory/aws/session.ts";
import { errorKind, toReadError } from "../inventory/call-error.ts";
import type { ReadError, Resource, Unit } from "../inventory/resource.ts";
import type { PolicySet } from "../policy/load.ts";
import { activeSet } from "../policy/store.ts";
import { writesUnderWay } from "../remediation/db/under-way.ts";
import { ensureParents } from "./lineage.ts";

/** What a look at one resource works with. */
export type LookDeps = {
  readonly database: Database;
  readonly aws: Aws;
  readonly sets: (id: string) => Promise<PolicySet>;
  readonly now: () => Date;
};

/** How a look ended. `later`: it may succeed at another time. */
export type Look =
  | { readonly outcome: "recorded" }
  | { readonly outcome: "failed" | "later"; readonly error: ReadError };

/** A resource of which it is known how it stands, or why it cannot be. */
type Read = Sight | { readonly outcome: "unread"; readonly error: ReadError; readonly cause: unknown };

/** How often policies may be activated between the reading of the active set and its use, before the look is put off. */
const SETS_TRIED = 3;

/**
 * Looks again at one resource: asks the service and records what it says, judged by the active policies. What cannot be read
 * changes nothing. `whole`: not only its tags may be others than recorded. Throws when the database fails or the signal aborts.
 */
export async function lookAgain(
  deps: LookDeps,
  unit: Unit,
  arn: string,
  { whole, actor, signal }: { readonly whole: boolean; readonly actor: string; readonly signal: AbortSignal },
): Promise<Look> {
  const { database, aws, now } = deps;
  let api: TargetApi;
  try {
    api = await aws.target(unit);
  } catch (cause) {
    signal.throwIfAborted();
    return unread(toReadError(cause, "AssumeRole"), cause);
  }
  const known = (await loadKnown(database, [arn])).get(arn)?.resource ?? null;
  const describe = whole || known === null || known.gone_at !== null;
  const read = await readResource(api, unit, arn, { describe, known: known !== null, now, signal });
  if (read.outcome === "unread") return unread(read.error, read.cause);
  const set = await record(deps, read, actor);
  if (set === null) return { outcome: "later", error: NO_POLICIES };
  if (read.outcome === "read" && read.resource !== null && set.needs.lineage.has(unit.type)) {
    // What stands above is looked for among what is recorded, so it is known only now.
    await ensureParents(deps, unit, [unit.type], signal, [arn]);
    await record(deps, read, actor);
  }
  return { outcome: "recorded" };
}

const NO_POLICIES: ReadError = {
  name: "NoPolicies",
  message: "no policies are active, or others were activated again and again",
  operation: "judge",
};

/** Records by the active set, and returns it; null: there is none, or it does not stay for long enough. */
async function record({ database, sets, now }: LookDeps, sight: Sight, actor: string): Promise<PolicySet | null> {
  for (let tried = 0; tried < SETS_TRIED; tried++) {
    const active = await activeSet(database);
    if (active === null) return null;
    const set = await sets(active.id);
    if ((await recordSight(database, set, sight, { actor, now: now(), under_repair: writesUnderWay })) !== "retired")
      return set;
  }
  return null;
}

/** Asks the service for the tags, and before that for the resource itself where `describe` says so. `known`: without a description it goes as well. */
async function readResource(
  api: TargetApi,
  unit: Unit,
  arn: string,
  options: {
    readonly describe: boolean;
    readonly known: boolean;
    readonly now: () => Date;
    readonly signal: AbortSignal;
  },
): Promise<Read> {
  const { describe, known, now, signal } = options;
  const read_at = now();
  let resource: Resource | null = null;
  if (describe) {
    const described = await describeResource(api, unit, arn, signal);
    if (described.outcome === "gone") return { outcome: "gone", unit, arn, read_at };
    if (described.outcome === "described") resource = described.resource;
    else if (!known || errorKind(described.cause) !== "denied") return { ...described, outcome: "unread" };
  }
  const answer = await readServiceTags(api, arn, signal, now);
  if (answer.outcome === "gone") return { outcome: "gone", unit, arn, read_at };
  if (answer.outcome === "unknown") return { outcome: "unread", error: answer.error, cause: answer.error };
  return { outcome: "read", unit, arn, resource, tags: answer.tags, read_at: answer.read_at };
}

/** A resource in a transition answers in a while; what is refused or makes no sense stays so. */
function unread(error: ReadError, cause: unknown): Look {
  const kind = errorKind(cause);
  const final = (kind === "final" && error.name !== "ResourceInUseException") || kind === "denied";
  return { outcome: final ? "failed" : "later", error };
}
