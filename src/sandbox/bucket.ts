import { RESOURCE_TYPES } from "../inventory/resource-types.ts";
import { parentPart } from "./arn.ts";
import type { SandboxResource } from "./resource.ts";

/** The resources of one type in one target, in the order of the list; made on first use. */
export class Bucket {
  readonly #rows: SandboxResource[] = [];
  readonly #byArn = new Map<string, SandboxResource>();
  #byParent: Map<string, SandboxResource[]> | null = null;
  #nextSeq = 0;

  constructor(seeded: Iterable<SandboxResource>) {
    for (const resource of seeded) this.#append(resource);
  }

  get(arn: string): SandboxResource | undefined {
    return this.#byArn.get(arn);
  }

  /** All rows, or those that a parent filter selects. */
  rows(parent?: string): readonly SandboxResource[] {
    if (parent === undefined) return this.#rows;
    this.#byParent ??= Map.groupBy(this.#rows, filterKey);
    return this.#byParent.get(parent) ?? [];
  }

  /** How many resources were ever in it: the number of the next. */
  get created(): number {
    return this.#nextSeq;
  }

  /** Takes a resource over, as the newest. */
  add(resource: SandboxResource): SandboxResource {
    this.#byParent = null;
    return this.#append(resource);
  }

  /** A resource of it has another parent than before. */
  moved(): void {
    this.#byParent = null;
  }

  remove(resource: SandboxResource): void {
    this.#byParent = null;
    this.#byArn.delete(resource.arn);
    this.#rows.splice(positionAfter(this.#rows, resource.seq - 1), 1);
  }

  #append(resource: SandboxResource): SandboxResource {
    resource.seq = this.#nextSeq++;
    this.#rows.push(resource);
    this.#byArn.set(resource.arn, resource);
    return resource;
  }
}

/** A page of rows and where the next begins. `reverse`: newest first. */
export function pageOf(
  rows: readonly SandboxResource[],
  after: number | null,
  size: number,
  reverse: boolean,
): { page: readonly SandboxResource[]; next: number | null } {
  let page: readonly SandboxResource[];
  let more: boolean;
  if (reverse) {
    const end = after === null ? rows.length : positionAfter(rows, after - 1);
    page = rows.slice(Math.max(0, end - size), end).toReversed();
    more = end > size;
  } else {
    const start = after === null ? 0 : positionAfter(rows, after);
    page = rows.slice(start, start + size);
    more = start + size < rows.length;
  }
  return { page, next: more ? (page.at(-1)?.seq ?? null) : null };
}

/** Index of the first row whose place is beyond `seq`. */
function positionAfter(rows: readonly SandboxResource[], seq: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle]?.seq ?? Infinity) <= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What the parent filter of the type's list compares with: campaigns are filtered by solution, not by version. */
function filterKey(resource: SandboxResource): string {
  const { parent_filter, parent } = RESOURCE_TYPES[resource.type];
  const arn = resource.parent ?? "";
  return parent_filter === "solutionArn" && parent === "solution-version" ? parentPart(arn) : arn;
}
