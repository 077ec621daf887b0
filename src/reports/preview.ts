import type { Standing } from "../inventory/schema.ts";

/** How a resource stands in reports: the column `status` of `reporting.v1_resources`. */
export type Compliance = "compliant" | "noncompliant" | "exempt" | "unknown" | "not_applicable";

/** Something by the active set and by the set that is looked at. */
type Shift<Value> = { readonly before: Value; readonly after: Value };

/** How many findings would open (again), change and close. */
type FindingCounts = { opens: number; changes: number; closes: number };
/** What a plan of everything would write: resources, and keys of them; and what it would leave to people. */
type WriteCounts = { resources: number; changes: number; blocked: number; review: number };
/** Resources by how they stand. */
type ComplianceCounts = Record<Compliance, number>;
type Counted = { -readonly [Side in keyof Shift<unknown>]: number };

/** What would be different for an account, or for an owner. `writes`: resources that a plan would write. */
type PlaceCounts = FindingCounts & { compliant: Counted; noncompliant: Counted; writes: Counted };
/** What would be different about a rule. `writes`: resources that a plan would write because of it. */
type RuleCounts = FindingCounts & { writes: Counted };

/** What a set of policies would change, over all stored resources. */
export type Preview = {
  readonly resources: number;
  readonly findings: Readonly<FindingCounts>;
  readonly compliance: Shift<ComplianceCounts & { ratio: number | null; strict_ratio: number | null }>;
  readonly writes: Shift<Readonly<WriteCounts>>;
  /** Those that something changes for, the most changed first. */
  readonly by_rule: readonly ({ policy_id: string; rule_id: string } & RuleCounts)[];
  readonly by_account: readonly ({ account_id: string } & PlaceCounts)[];
  /** `owner`: null where no tag names one. */
  readonly by_owner: readonly ({ owner: string | null } & PlaceCounts)[];
  /** Owners beyond the first 10,000, all together; null: there are none. */
  readonly other_owners: PlaceCounts | null;
};

/** One resource, by either set. */
export type PreviewedResource = {
  readonly account_id: string;
  readonly owner: string | null;
  readonly compliance: Shift<Compliance>;
  readonly changes: readonly {
    readonly policy_id: string;
    readonly rule_id: string;
    readonly change: keyof FindingCounts;
  }[];
  readonly writes: Shift<{
    readonly changes: number;
    readonly rules: readonly string[];
    blocked: number;
    review: number;
  }>;
};

/** Owners that are counted apart, so that memory stays flat whatever people write into a tag. */
const MAX_OWNERS = 10_000;
const SIDES = ["before", "after"] as const;

/** Adds up previewed resources, one by one, in memory that does not grow with them. */
export class PreviewTally {
  #resources = 0;
  #findings = noFindings();
  #compliance = { before: noCompliance(), after: noCompliance() };
  #writes = { before: noWrites(), after: noWrites() };
  #rules = new Map<string, RuleCounts>();
  #accounts = new Map<string, PlaceCounts>();
  #owners = new Map<string | null, PlaceCounts>();
  #others: PlaceCounts | null = null;

  /** Counts one resource. */
  add(resource: PreviewedResource): void {
    this.#resources++;
    for (const { policy_id, rule_id, change } of resource.changes) {
      this.#findings[change]++;
      this.#rule(`${policy_id}/${rule_id}`)[change]++;
    }
    for (const side of SIDES) {
      this.#compliance[side][resource.compliance[side]]++;
      const { changes, rules, blocked, review } = resource.writes[side];
      const total = this.#writes[side];
      total.blocked += blocked;
      total.review += review;
      if (changes === 0) continue;
      total.resources++;
      total.changes += changes;
      for (const rule of rules) this.#rule(rule).writes[side]++;
    }
    addToPlace(entry(this.#accounts, resource.account_id, noPlace), resource);
    addToPlace(this.#owner(resource.owner), resource);
  }

  /** What was added up. */
  result(): Preview {
    const by_rule = [...this.#rules].map(([name, counts]) => {
      const [policy_id = "", rule_id = ""] = name.split("/");
      return { policy_id, rule_id, ...counts };
    });
    return {
      resources: this.#resources,
      findings: this.#findings,
      compliance: { before: withRatios(this.#compliance.before), after: withRatios(this.#compliance.after) },
      writes: this.#writes,
      by_rule: mostChanged(by_rule, ({ policy_id, rule_id }) => `${policy_id}/${rule_id}`),
      by_account: mostChanged(
        [...this.#accounts].map(([account_id, counts]) => ({ account_id, ...counts })),
        ({ account_id }) => account_id,
      ),
      by_owner: mostChanged(
        [...this.#owners].map(([owner, counts]) => ({ owner, ...counts })),
        ({ owner }) => owner ?? "",
      ),
      other_owners: this.#others,
    };
  }

  #rule(name: string): RuleCounts {
    return entry(this.#rules, name, () => ({ ...noFindings(), writes: noCount() }));
  }

  #owner(owner: string | null): PlaceCounts {
    if (this.#owners.has(owner) || this.#owners.size < MAX_OWNERS) return entry(this.#owners, owner, noPlace);
    this.#others ??= noPlace();
    return this.#others;
  }
}

/**
 * How a resource stands by its findings: the rule of `reporting.v1_resources`, for findings that are not stored. `listed`: the
 * last attempt to list its unit reached the end.
 */
export function complianceOf(
  resource: { readonly standing: Standing; readonly status: string; readonly reading_error: unknown },
  listed: boolean,
  open: readonly { readonly exempt: boolean }[],
): Compliance {
  if (resource.standing === "not_applicable" || resource.status.toUpperCase().startsWith("DELETE"))
    return "not_applicable";
  if (open.some(({ exempt }) => !exempt)) return "noncompliant";
  if (resource.standing === "unknown" || resource.reading_error !== null || !listed) return "unknown";
  return open.length > 0 ? "exempt" : "compliant";
}

function addToPlace(place: PlaceCounts, { compliance, changes, writes }: PreviewedResource): void {
  for (const { change } of changes) place[change]++;
  for (const side of SIDES) {
    if (compliance[side] === "compliant") place.compliant[side]++;
    if (compliance[side] === "noncompliant") place.noncompliant[side]++;
    if (writes[side].changes > 0) place.writes[side]++;
  }
}

/** Those for which something changes, by how much, then by name. */
function mostChanged<Row extends FindingCounts & { writes: Counted }>(
  rows: Row[],
  nameOf: (row: Row) => string,
): Row[] {
  const weight = ({ opens, changes, closes, writes }: Row) =>
    opens + changes + closes + Math.abs(writes.after - writes.before);
  return rows
    .filter((row) => weight(row) > 0)
    .sort((a, b) => weight(b) - weight(a) || (nameOf(a) < nameOf(b) ? -1 : 1));
}

function withRatios(counts: ComplianceCounts) {
  const { compliant, noncompliant, exempt, unknown } = counts;
  const judged = compliant + noncompliant + exempt;
  return {
    ...counts,
    ratio: ratio(compliant, compliant + noncompliant),
    strict_ratio: judged > 0 ? ratio(compliant, judged + unknown) : null,
  };
}

/** Rounded down to three decimals, so that 1 means all; null of nothing. */
function ratio(part: number, whole: number): number | null {
  return whole > 0 ? Math.floor((part * 1000) / whole) / 1000 : null;
}

function entry<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

const noFindings = (): FindingCounts => ({ opens: 0, changes: 0, closes: 0 });
const noWrites = (): WriteCounts => ({ resources: 0, changes: 0, blocked: 0, review: 0 });
const noCount = (): Counted => ({ before: 0, after: 0 });
const noPlace = (): PlaceCounts => ({
  ...noFindings(),
  compliant: noCount(),
  noncompliant: noCount(),
  writes: noCount(),
});
const noCompliance = (): ComplianceCounts => ({
  compliant: 0,
  noncompliant: 0,
  exempt: 0,
  unknown: 0,
  not_applicable: 0,
});
