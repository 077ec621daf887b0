import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Changes, Known, Occasion } from "../../src/findings/changes.ts";
import { type Evidence, evidenceOf, reconcile } from "../../src/findings/reconcile.ts";
import { reconcileAbsence, reconcileGone } from "../../src/findings/reconcile-absence.ts";
import type { Tags } from "../../src/tags/tags.ts";
import { after, judged, policySet, read, resourceOf, SET, START, unread } from "./world.ts";

const NOTHING: Known = { resource: null, findings: [] };
const occasion = (at = START): Occasion => ({
  by: "scan",
  at,
  scan_id: "0195a0c0-0000-7000-8000-000000000001",
  actor: null,
  policy_set_id: SET.id,
});

function evidence(tags: Tags, options: Parameters<typeof read>[2] = {}, change = {}, set = SET): Evidence {
  const observation = read(resourceOf("web", change), tags, options);
  if (observation.outcome === "gone") throw new Error("read is never gone");
  return evidenceOf(observation, judged(observation, set).judgement);
}

/** What is known after the changes were written. */
function applied(known: Known, changes: Changes): Known {
  const findings = new Map(known.findings.map((finding) => [finding.id, finding]));
  for (const { finding } of changes.findings) findings.set(finding.id, finding);
  // Through JSON and back, as through a database.
  return { resource: changes.resource ?? known.resource, findings: [...findings.values()] };
}

function knownAfter(...all: Evidence[]): Known {
  return all.reduce((known, one, hours) => applied(known, reconcile(known, one, occasion(after(hours)))), NOTHING);
}

const causes = (changes: Changes) =>
  changes.findings.map(({ event, cause, finding }) => `${finding.rule_id} ${event}/${cause}`);

describe("scanning twice with nothing changed", () => {
  const tags = fc.dictionary(
    fc.constantFrom("Owner", "Env", "environment", "Ownr", "aws:cloudformation:stack-name", "constructor"),
    fc.constantFrom("", "dev", "x"),
  );
  const sight = fc.record({
    tags,
    source: fc.constantFrom("index" as const, "service" as const),
    in_index: fc.boolean(),
    status: fc.constantFrom("ACTIVE", "DELETE PENDING", "CREATE FAILED"),
    read: fc.boolean(),
    hour: fc.integer({ min: 0, max: 3 }),
  });

  test("changes nothing the second time, whatever came before", () => {
    fc.assert(
      fc.property(fc.array(sight, { minLength: 1, maxLength: 6 }), (sights) => {
        let known: Known = NOTHING;
        for (const { tags, source, in_index, status, read: wasRead, hour } of sights) {
          const seen = wasRead
            ? evidence(tags, { source, in_index, read_at: after(hour) }, { status })
            : evidenceOf(unread(resourceOf("web", { status })) as never, null);
          known = applied(known, reconcile(known, seen, occasion(after(4))));
          const again = reconcile(known, seen, occasion(after(5)));
          expect(again.resource).toBeNull();
          expect(again.findings).toEqual([]);
          const open = known.findings.filter(({ state }) => state === "open").length;
          expect(again.unchanged).toBe(open);
        }
      }),
    );
  });

  test("does not notice the order in which a database gives back keys", () => {
    const known = knownAfter(evidence({ Env: "x", environment: "y", Owner: "a" }));
    const shuffled: Known = JSON.parse(JSON.stringify(known), (_, value: unknown) =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).toReversed())
        : value,
    );
    const dates = {
      created_at: known.resource!.created_at,
      updated_at: known.resource!.updated_at,
      tags_read_at: known.resource!.tags_read_at,
    };
    const back = { resource: { ...shuffled.resource!, ...dates }, findings: shuffled.findings };
    expect(reconcile(back, evidence({ Owner: "a", Env: "x", environment: "y" }), occasion(after(1)))).toMatchObject({
      resource: null,
      findings: [],
    });
  });

  test("another set of policies that says the same of a resource writes nothing", () => {
    const known = knownAfter(evidence({}));
    expect(reconcile(known, evidence({}), { ...occasion(after(1)), policy_set_id: "another" })).toMatchObject({
      resource: null,
      findings: [],
      unchanged: 2,
    });
  });

  test("the same tags from the other source, read at another time, write nothing", () => {
    const known = knownAfter(evidence({ Owner: "a" }, { source: "service" }));
    const later = evidence({ Owner: "a" }, { source: "index", read_at: after(9) });
    expect(reconcile(known, later, occasion(after(9)))).toMatchObject({ resource: null, findings: [] });
  });

  test("an index that leaves out `aws:` tags is no change, and the stack stays known", () => {
    const known = knownAfter(evidence({ Owner: "a", Env: "dev", "aws:cloudformation:stack-name": "shop" }));
    expect(
      reconcile(known, evidence({ Owner: "a", Env: "dev" }, { source: "index" }), occasion(after(1))).resource,
    ).toBeNull();
    const changed = reconcile(known, evidence({ Owner: "b", Env: "dev" }, { read_at: after(1) }), occasion(after(1)));
    expect(changed.resource).toMatchObject({ tags: { Owner: "b", Env: "dev" }, stack: "shop" });
  });

  test("a stack that only the index names is known, although the tags are the service's", () => {
    const seen = { ...evidence({ Owner: "a", Env: "dev" }, { source: "service" }), stack: "shop" };
    const known = knownAfter(seen);
    expect(known.resource).toMatchObject({ tags: { Owner: "a", Env: "dev" }, source: "service", stack: "shop" });
    expect(reconcile(known, seen, occasion(after(1))).resource).toBeNull();
    expect(reconcile(known, evidence({ Owner: "a", Env: "dev" }), occasion(after(2))).resource).toBeNull();
  });

  test("an error with another message is the same error", () => {
    const refused = (message: string, name = "AccessDeniedException") =>
      evidenceOf(unread(resourceOf("web"), name, message) as never, null);
    const known = knownAfter(evidence({ Owner: "a" }), refused("request 1"));
    expect(reconcile(known, refused("request 2"), occasion(after(2))).resource).toBeNull();
    expect(reconcile(known, refused("slow", "ThrottlingException"), occasion(after(2))).resource).not.toBeNull();
  });
});

describe("what may be believed", () => {
  test("a pass from the index alone closes nothing that the service called a violation", () => {
    const known = knownAfter(evidence({ Env: "dev" }, { source: "service" }));
    const pass = { Env: "dev", Owner: "a" };
    expect(
      causes(reconcile(known, evidence(pass, { source: "index", read_at: after(1) }), occasion(after(1)))),
    ).toEqual([]);
    expect(causes(reconcile(known, evidence(pass, { read_at: after(1) }), occasion(after(1))))).toEqual([
      "owner resolved/fixed_observed",
    ]);
  });

  test("what the index found, the index may close", () => {
    const known = knownAfter(evidence({ Env: "dev" }, { source: "index" }));
    const pass = evidence({ Env: "dev", Owner: "a" }, { source: "index", read_at: after(1) });
    expect(causes(reconcile(known, pass, occasion(after(1))))).toEqual(["owner resolved/fixed_observed"]);
  });

  test("a reading older than what is stored, and different, changes neither tags nor findings", () => {
    const known = knownAfter(evidence({ Env: "dev", Owner: "a" }, { read_at: after(2) }));
    const old = evidence({ Env: "dev" }, { read_at: after(1) }, { status: "CREATE PENDING" });
    const changes = reconcile(known, old, occasion(after(3)));
    expect(changes.findings).toEqual([]);
    expect(changes.resource).toMatchObject({
      status: "CREATE PENDING",
      tags: { Owner: "a" },
      tags_read_at: after(2),
      standing: "judged",
    });
  });

  test("a clock that was ahead does not make every later reading old", () => {
    const known = knownAfter(evidence({ Env: "dev", Owner: "a" }, { read_at: after(100) }));
    expect(causes(reconcile(known, evidence({ Env: "dev" }, { read_at: after(1) }), occasion(after(1))))).toEqual([
      "owner opened/observed",
    ]);
  });

  test("a resource that could not be read keeps its findings and its tags, and is unknown", () => {
    const known = knownAfter(evidence({ Env: "dev" }));
    const changes = reconcile(known, evidenceOf(unread(resourceOf("web")) as never, null), occasion(after(1)));
    expect(changes).toMatchObject({ findings: [], unchanged: 1 });
    expect(changes.resource).toMatchObject({
      standing: "unknown",
      tags: { Env: "dev" },
      tags_read_at: START,
      reading_error: { name: "AccessDeniedException" },
    });
    expect(changes.resource?.unknown_reason).toBe("tags could not be read: AccessDeniedException");
  });

  test("a resource never read has no tags, which is not the same as an empty set", () => {
    const changes = reconcile(NOTHING, evidenceOf(unread(resourceOf("web")) as never, null), occasion());
    expect(changes.resource).toMatchObject({ tags: null, source: null, standing: "unknown" });
  });

  test("a rule that could not be judged keeps its findings open, and the resource is unknown", () => {
    const known = knownAfter(evidence({}));
    const seen = evidence({ Owner: "a", Env: "dev" }, { read_at: after(1) });
    const judgement = {
      ...seen.judgement!,
      unknowns: [{ policy_id: "p", rule_id: "owner", reason: "the condition failed" }],
    };
    const changes = reconcile(known, { ...seen, judgement }, occasion(after(1)));
    expect(causes(changes)).toEqual(["env resolved/fixed_observed"]);
    expect(changes.resource).toMatchObject({ standing: "unknown", unknown_reason: "p/owner: the condition failed" });
  });

  test("tags named like members of every object are tags", () => {
    const changes = reconcile(
      NOTHING,
      evidence(JSON.parse('{"__proto__": "a", "constructor": "b", "Owner": "c", "Env": "dev"}')),
      occasion(),
    );
    expect(Object.keys(changes.resource?.tags ?? {})).toContain("__proto__");
    const known = applied(NOTHING, changes);
    expect(
      reconcile(known, evidence({ Owner: "c", Env: "dev" }, { read_at: after(1) }), occasion(after(1))).resource,
    ).not.toBeNull();
  });
});

describe("standing", () => {
  test("a resource on its way out is under no rule: its findings resolve as out of scope", () => {
    const known = knownAfter(evidence({}));
    const changes = reconcile(known, evidence({}, {}, { status: "DELETE IN_PROGRESS" }), occasion(after(1)));
    expect(causes(changes).sort()).toEqual(["env resolved/out_of_scope", "owner resolved/out_of_scope"]);
    expect(changes.resource?.standing).toBe("not_applicable");
  });

  test("one whose deletion failed comes back under its rules", () => {
    const known = knownAfter(evidence({ Env: "dev" }), evidence({ Env: "dev" }, {}, { status: "DELETE PENDING" }));
    expect(causes(reconcile(known, evidence({ Env: "dev" }), occasion(after(2))))).toEqual([
      "owner reopened/rule_restored",
    ]);
  });

  test("a resource to which no policy applies is not applicable, not compliant", () => {
    const set = policySet("{id: owner, key: Owner, required: true}");
    const elsewhere = { ...set, policies: set.policies.map((policy) => ({ ...policy, appliesTo: () => false })) };
    expect(reconcile(NOTHING, evidence({}, {}, {}, elsewhere), occasion()).resource?.standing).toBe("not_applicable");
  });
});

describe("absence", () => {
  test("the first is counted, the second in a row means gone", () => {
    const known = knownAfter(evidence({ Env: "dev" }));
    const once = reconcileAbsence(known, occasion(after(1)));
    expect(once).toMatchObject({ resource: { absences: 1, gone_at: null }, findings: [], unchanged: 1 });
    const twice = reconcileAbsence(applied(known, once), occasion(after(2)));
    expect(twice.resource).toMatchObject({ absences: 2, gone_at: after(2) });
    expect(causes(twice)).toEqual(["owner resolved/resource_gone"]);
  });

  test("being listed again in between takes it back", () => {
    const known = knownAfter(evidence({ Env: "dev" }));
    const once = applied(known, reconcileAbsence(known, occasion(after(1))));
    expect(reconcile(once, evidence({ Env: "dev" }), occasion(after(2)))).toMatchObject({
      resource: { absences: 0 },
      findings: [],
    });
  });

  test("what was gone is gone only once, and what was never recorded leaves no trace", () => {
    const known = knownAfter(evidence({ Env: "dev" }));
    const away = applied(known, reconcileGone(known, occasion(after(1))));
    expect(reconcileGone(away, occasion(after(2)))).toEqual({ resource: null, findings: [], unchanged: 0 });
    expect(reconcileGone(NOTHING, occasion())).toEqual({ resource: null, findings: [], unchanged: 0 });
  });
});
