import { errorKind, errorName, toReadError } from "../call-error.ts";
import type { Child, ParentEdge } from "../lineage.ts";
import { parentFromDescription } from "../parent-from-description.ts";
import type { ReadError } from "../resource.ts";
import { RESOURCE_TYPES, type ResourceType } from "../resource-types.ts";
import { listUnit, PAGE_SIZE } from "./list-unit.ts";
import { callPersonalize } from "./personalize-call.ts";
import type { TargetApi } from "./session.ts";

/** What the inventory of a target says about the cost of listing a type parent by parent. */
export type Listing = {
  /** ARNs of everything that could be a parent. */
  readonly parents: readonly string[];
  /** Resources of the type, those whose parent is known included: the lists show them all. */
  readonly children: number;
};

/** What came of looking for parents. Each child is in one of the three. */
export type ParentsRead = {
  readonly edges: readonly ParentEdge[];
  /** Children whose parent could not be read, which is not "no parent". */
  readonly failures: readonly { readonly arn: string; readonly error: ReadError }[];
  /** Children of which the service says that they do not exist. */
  readonly gone: readonly string[];
};

type Reading = { edges: ParentEdge[]; failures: { arn: string; error: ReadError }[]; gone: string[] };
type Options = { readonly now: () => Date; readonly signal: AbortSignal };

/** Questions that are on their way at a time; the gates of the target set the pace. */
const AT_ONCE = 16;

/** After so many denials without one answer, the permission is taken to be missing for all. */
const DENIALS = 10;

/**
 * Reads the parents of resources of one type, with the fewest calls: each child is described, unless to list the children of
 * each possible parent takes fewer calls; then only those are described that no list showed. The edges are the same either way.
 * Errors of AWS end as reasons. Throws only when the signal aborts.
 */
export async function readParents(
  api: TargetApi,
  type: ResourceType,
  children: readonly Child[],
  listing: Listing,
  options: Options,
): Promise<ParentsRead> {
  const reading: Reading = { edges: [], failures: [], gone: [] };
  const missing = new Map(children.map((child) => [child.arn, child]));
  if (listsTellParent(type) && missing.size > mostPages(listing)) {
    await listByParent(api, type, listing.parents, missing, reading, options);
  }
  await describeEach(api, type, [...missing.values()], reading, options);
  return reading;
}

/** Whether the filtered list names the direct parent. That of campaigns does not: it is of solutions, and a version is nearer. */
function listsTellParent(type: ResourceType): boolean {
  const { parent, parent_filter } = RESOURCE_TYPES[type];
  return parent !== null && parent_filter === RESOURCE_TYPES[parent].arn_field;
}

/** The most pages that the lists of all parents can have: one each, and one more for every hundred children. */
function mostPages({ parents, children }: Listing): number {
  return parents.length + Math.floor(children / PAGE_SIZE);
}

/** Lists parent by parent until no child is missing. Children that a list shows are taken from `missing`. */
async function listByParent(
  api: TargetApi,
  type: ResourceType,
  parents: readonly string[],
  missing: Map<string, Child>,
  { edges }: Reading,
  { now, signal }: Options,
): Promise<void> {
  let refused = false;
  await sideBySide(parents, async (parent_arn) => {
    if (refused || missing.size === 0) return;
    const read_at = now();
    const pages = listUnit(api, type, signal, parent_arn);
    let page = await pages.next();
    for (; !page.done; page = await pages.next()) {
      for (const { arn } of page.value) {
        const child = missing.get(arn);
        if (child === undefined) continue;
        missing.delete(arn);
        edges.push(toEdge(child, parent_arn, "list", read_at));
      }
    }
    const { error } = page.value;
    // What the service has against this one parent says nothing about the others.
    refused ||= error !== null && errorKind(error) !== "final";
  });
}

async function describeEach(
  api: TargetApi,
  type: ResourceType,
  children: readonly Child[],
  { edges, failures, gone }: Reading,
  { now, signal }: Options,
): Promise<void> {
  const { describe_operation: operation, describe_key, arn_field } = RESOURCE_TYPES[type];
  let answers = 0;
  let denials = 0;
  let denial: ReadError | null = null;
  await sideBySide(children, async (child) => {
    const { arn } = child;
    if (denial !== null && denials >= DENIALS && answers === 0) {
      failures.push({ arn, error: denial });
      return;
    }
    const read_at = now();
    try {
      const reply = await callPersonalize(api, "read", operation, { [arn_field]: arn }, signal);
      answers += 1;
      const described = reply[describe_key];
      const found =
        typeof described === "object" && described !== null
          ? parentFromDescription(child, described as Readonly<Record<string, unknown>>)
          : { name: "UnexpectedReply", message: `the reply has no field ${describe_key}` };
      if (typeof found === "string") edges.push(toEdge(child, found, "describe", read_at));
      else failures.push({ arn, error: { ...found, operation } });
    } catch (cause) {
      signal.throwIfAborted();
      if (errorName(cause) === "ResourceNotFoundException") {
        gone.push(arn);
        return;
      }
      const error = toReadError(cause, operation);
      failures.push({ arn, error });
      if (errorKind(cause) !== "denied") return;
      denials += 1;
      denial = error;
    }
  });
}

/** The times are those of the inventory: what was made anew or moved since then shows other times there at the next scan. */
function toEdge(child: Child, parent_arn: string, source: ParentEdge["source"], read_at: Date): ParentEdge {
  const { arn, created_at, updated_at } = child;
  return { arn, parent_arn, source, read_at, created_at, updated_at };
}

/** Does the work on all items, some at a time. The first failure is thrown; it is an abort, which ends the others too. */
async function sideBySide<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
}
