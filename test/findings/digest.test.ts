import * as fc from "fast-check";
import { expect, test } from "vitest";
import { digestOfEvidence, digestOfState, isFoundAgain } from "../../src/findings/digest.ts";
import type { Known, Occasion } from "../../src/findings/changes.ts";
import { type Evidence, evidenceOf, reconcile } from "../../src/findings/reconcile.ts";
import { reconcileAbsence, reconcileGone } from "../../src/findings/reconcile-absence.ts";
import { isDigestOf } from "../../src/inventory/reading-digest.ts";
import { stackOf } from "../../src/tags/stack.ts";
import { after, ENV, judged, OWNER, policySet, read, resourceOf, SET, unread } from "./world.ts";

const occasion = (hours: number): Occasion => ({
  by: "scan",
  at: after(hours),
  scan_id: "0195a0c0-0000-7000-8000-000000000001",
  actor: null,
  policy_set_id: SET.id,
});

const SETS = [
  SET,
  policySet(ENV),
  policySet(OWNER, ENV.replace("dev", "test")),
  policySet(OWNER.replace("high", "low"), ENV),
];

/** A sight of the one resource of these tests; few values, so that the same one comes again. */
const sight = fc.record({
  tags: fc.dictionary(
    fc.constantFrom("Owner", "Env", "environment", "aws:cloudformation:stack-name"),
    fc.constantFrom("dev", "x"),
    { maxKeys: 3 },
  ),
  source: fc.constantFrom("index" as const, "service" as const),
  in_index: fc.boolean(),
  status: fc.constantFrom("ACTIVE", "ACTIVE", "DELETE PENDING"),
  updated_at: fc.constantFrom(after(-2), after(-1)),
  stack: fc.option(fc.constant("shop"), { nil: null, freq: 4 }),
  set: fc.constantFrom(...SETS),
  unknown: fc.option(fc.constant("owner"), { nil: null, freq: 5 }),
  hour: fc.integer({ min: 0, max: 4 }),
});
type Sight = typeof sight extends fc.Arbitrary<infer One> ? One : never;

function evidenceIn({ tags, source, in_index, status, updated_at, stack, set, unknown, hour }: Sight): Evidence {
  const observation = read(resourceOf("web", { status, updated_at }), tags, { source, in_index, read_at: after(hour) });
  if (observation.outcome === "gone") throw new Error("read is never gone");
  const { judgement } = judged(observation, set);
  if (judgement === null) throw new Error("what was read is judged");
  // As a condition that failed: the rule says nothing, and is not passed.
  const unknowns = unknown === null ? [] : [{ policy_id: "p", rule_id: unknown, reason: "the condition failed" }];
  const violations = judgement.violations.filter(({ rule_id }) => rule_id !== unknown);
  return { ...evidenceOf(observation, { ...judgement, violations, unknowns }), stack };
}

/** Something that befell the resource; `loses` drops closures, as a unit that is incomplete or held does. */
const event = fc.oneof(
  { weight: 8, arbitrary: fc.record({ sight, loses: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constantFrom("absent", "gone", "unread") },
);

function knownAfter(history: (typeof event extends fc.Arbitrary<infer One> ? One : never)[]): Known {
  let known: Known = { resource: null, findings: [] };
  for (const one of history) {
    const changes =
      one === "absent"
        ? reconcileAbsence(known, occasion(5))
        : one === "gone"
          ? reconcileGone(known, occasion(5))
          : one === "unread"
            ? reconcile(known, evidenceOf(unread(resourceOf("web")) as never, null), occasion(5))
            : reconcile(known, evidenceIn(one.sight), occasion(5));
    const findings = new Map(known.findings.map((finding) => [finding.id, finding]));
    for (const { event: name, finding } of changes.findings) {
      if (typeof one !== "string" && one.loses && name === "resolved") continue;
      findings.set(finding.id, finding);
    }
    known = { resource: changes.resource ?? known.resource, findings: [...findings.values()] };
  }
  return known;
}

/** One of the sights before, seen anew: from any source, at any time, by any policies. */
const again = fc.record({
  index: fc.nat(),
  change: fc.record(
    {
      source: fc.constantFrom("index" as const, "service" as const),
      hour: fc.integer({ min: 0, max: 9 }),
      set: fc.constantFrom(...SETS),
      in_index: fc.boolean(),
      unknown: fc.constantFrom("owner", null),
    },
    { requiredKeys: ["source", "hour"] },
  ),
});

function seenAgain(
  history: Parameters<typeof knownAfter>[0],
  { index, change }: typeof again extends fc.Arbitrary<infer One> ? One : never,
): Evidence {
  const sights = history.flatMap((one) => (typeof one === "string" ? [] : one.sight));
  const before = sights[index % sights.length];
  fc.pre(before !== undefined);
  return evidenceIn({ ...before, ...change });
}

test("where the digests of state and evidence are equal, the full comparison finds nothing to write and counts the same", () => {
  let equal = 0;
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 5 }), again, (history, last) => {
      const known = knownAfter(history);
      const stored = known.resource === null ? null : digestOfState(known.resource, known.findings);
      const evidence = seenAgain(history, last);
      if (stored === null || digestOfEvidence(evidence) !== stored) return;
      equal++;
      expect(reconcile(known, evidence, occasion(9))).toEqual({
        resource: null,
        findings: [],
        unchanged: evidence.judgement!.violations.length,
      });
      expect(evidence.judgement!.violations.length).toBe(known.findings.filter(({ state }) => state === "open").length);
    }),
    { numRuns: 10_000 },
  );
  expect(equal).toBeGreaterThan(500);
});

test("a reading that is found to be the stored one, and then judged the same, is as good as the whole", () => {
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 4 }), again, (history, last) => {
      const known = knownAfter(history);
      const stored = known.resource === null ? null : digestOfState(known.resource, known.findings);
      const evidence = seenAgain(history, last);
      const { resource, in_index, reading, stack } = evidence;
      if (stored === null || reading === null) return;
      const seen = { ...resource, in_index, tags: reading.tags, stack: stackOf(reading.tags) ?? stack ?? null };
      expect(isDigestOf(stored, seen) && isFoundAgain(stored, evidence)).toBe(digestOfEvidence(evidence) === stored);
    }),
    { numRuns: 5000 },
  );
});

test("what was recorded of a sight has the digest of that sight, from whichever source it comes again", () => {
  fc.assert(
    fc.property(sight, fc.constantFrom("index" as const, "service" as const), (one, source) => {
      fc.pre(one.unknown === null);
      const known = knownAfter([{ sight: one, loses: false }]);
      const again = evidenceIn({ ...one, source, hour: 4 });
      expect(digestOfState(known.resource!, known.findings)).toBe(digestOfEvidence(again));
    }),
  );
});

test("what is gone, absent or could not be read has no digest, and neither has a sight without tags", () => {
  const there = { sight: fc.sample(sight, 1)[0]!, loses: false };
  for (const last of ["absent", "gone", "unread"] as const) {
    const known = knownAfter([there, last]);
    expect(digestOfState(known.resource!, known.findings)).toBeNull();
  }
  expect(digestOfEvidence(evidenceOf(unread(resourceOf("web")) as never, null))).toBeNull();
});
