import type { Database } from "../db/client.ts";
import { type ParentsRead, readParents } from "../inventory/aws/read-parents.ts";
import type { Aws, TargetApi } from "../inventory/aws/session.ts";
import { toReadError } from "../inventory/call-error.ts";
import { childrenWithoutParent, listingOf, storeParents } from "../inventory/db/parents.ts";
import { typesAbove } from "../inventory/lineage.ts";
import type { Target } from "../inventory/resource.ts";
import type { ResourceType } from "../inventory/resource-types.ts";
import { forEachLimited } from "./for-each-limited.ts";

/** What the reading of parents works with. */
type LineageDeps = { readonly database: Database; readonly aws: Pick<Aws, "target">; readonly now: () => Date };

/**
 * Reads the parents that are missing for the live resources of these types in a target, and for everything above them, and
 * keeps them. Which these are, the inventory says: it is to be called after the units of the types and of those above them
 * were recorded. Nothing is asked when nothing is missing. `onlyArns`: of the types themselves only these.
 *
 * Returns warnings about what could not be read; errors of AWS end there. Throws when the database fails or the signal aborts.
 */
export async function ensureParents(
  { database, aws, now }: LineageDeps,
  target: Target,
  types: readonly ResourceType[],
  signal: AbortSignal = new AbortController().signal,
  onlyArns?: readonly string[],
): Promise<string[]> {
  const above = [...new Set(types.flatMap(typesAbove))];
  const found = [
    ...(await childrenWithoutParent(database, target, types, onlyArns)),
    ...(await childrenWithoutParent(database, target, above)),
  ];
  const children = [...new Map(found.map((child) => [child.arn, child])).values()];
  if (children.length === 0) return [];
  let api: TargetApi;
  try {
    api = await aws.target(target);
  } catch (cause) {
    signal.throwIfAborted();
    const error = toReadError(cause, "AssumeRole");
    return warningsOf(
      target,
      children.map(({ arn }) => ({ arn, error })),
    );
  }
  const byType = [...Map.groupBy(children, ({ type }) => type)];
  const failed: ParentsRead["failures"][number][] = [];
  await forEachLimited(byType, byType.length, async ([type, some]) => {
    const listing = await listingOf(database, target, type);
    const { edges, failures } = await readParents(api, type, some, listing, { now, signal });
    await storeParents(database, edges);
    for (const failure of failures) failed.push(failure);
  });
  return warningsOf(target, failed);
}

/** One warning for each error, by operation and name, with how many it met and one of them. */
function warningsOf({ account_id, region }: Target, failures: ParentsRead["failures"]): string[] {
  const byError = Map.groupBy(failures, ({ error }) => `${error.operation}: ${error.name}`);
  const warnings = [...byError].map(([what, [first, ...others]]) => {
    const which = `${first?.arn}${others.length === 0 ? "" : ` and ${others.length} more`}`;
    const denied = /^Describe\w+(?=: AccessDenied)/.exec(what)?.[0];
    const permission = denied === undefined ? "" : ` The permission that it needs is personalize:${denied}.`;
    return `${account_id}/${region}: the parent of ${which} could not be read (${what}), so what stands above is not known.${permission}`;
  });
  return warnings.sort();
}
