import * as fc from "fast-check";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { OpenDatabase } from "../../src/db/client.ts";
import { covered_findings } from "../../src/findings/db/covered.ts";
import { coveredBy } from "../../src/exemptions/covers.ts";
import { exemptions } from "../../src/exemptions/schema.ts";
import { exemptionsInForce } from "../../src/exemptions/store.ts";
import type { findings } from "../../src/findings/schema.ts";
import type { resources } from "../../src/inventory/schema.ts";
import { exemptionsPage } from "../../src/reports/db/exemptions.ts";
import { findingsPage } from "../../src/reports/store.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { seeder } from "../reports/seed.ts";

type Exemption = typeof exemptions.$inferInsert;
type Finding = typeof findings.$inferInsert;
type Thing = Pick<typeof resources.$inferInsert, "arn" | "name" | "tags">;

/** The rule once more, in another language: a list of what would have to be true. */
function covers(one: Exemption, finding: Finding, thing: Thing | undefined, now: Date): boolean {
  const wild = (pattern: string, text: string) =>
    new RegExp(
      `^${pattern
        .split("*")
        .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
        .join("[^]*")}$`,
      "u",
    ).test(text);
  const tagged = ([key, pattern]: [string, string]) => {
    const value = thing?.tags?.[key];
    return value !== undefined && wild(pattern, value);
  };
  return [
    finding.state === "open",
    !one.revoked_at,
    one.starts_at <= now,
    one.expires_at > now,
    !one.policy_id || one.policy_id === finding.policy_id,
    !one.rule_id || one.rule_id === finding.rule_id,
    !one.key || one.key === finding.key,
    !one.accounts || one.accounts.includes(finding.account_id),
    !one.regions || one.regions.includes(finding.region),
    !one.types || one.types.includes(finding.type),
    !one.arns || one.arns.some((pattern) => wild(pattern, finding.arn)),
    !one.names || (thing !== undefined && one.names.some((pattern) => wild(pattern, thing.name))),
    !one.tags || Object.entries(one.tags).every(tagged),
  ].every(Boolean);
}

const few = <T>(...items: T[]) => fc.constantFrom(...items);
/** Parts that a scope names; the others are null. One that names them all would cover next to nothing. */
const PARTS = ["policy_id", "rule_id", "key", "accounts", "regions", "types", "names", "arns", "tags"] as const;
const some = <T>(...items: T[]) => fc.uniqueArray(few(...items), { minLength: 1, maxLength: 3 });
/** Small alphabets, so that things meet; with the wildcards of SQL and its escape, which mean nothing here. */
const name = few("ab", "a_b", "axb", "a%", "a\\b", "poc-1", "Poc-1");
const namePattern = few("a*", "a*b", "a_b", "a%", "a\\*", "poc-*", "*o*-*", "**b", "a");
const value = few("", "poc", "POC", "p_c", "p%", "x");
const valuePattern = few("", "*", "poc", "p*", "p_c", "*c", "%", "p%");
const account = few("111122223333", "444455556666");
const region = few("us-east-1", "eu-west-1");
const type = few("campaign" as const, "filter" as const);

const world = fc.record({
  things: fc.array(
    fc.record({
      account,
      region,
      type,
      name,
      tags: fc.option(
        fc.dictionary(few("Stage", "stage", "aws:cloudformation:stack-name"), value, {
          maxKeys: 3,
          noNullPrototype: true,
        }),
      ),
      known: few(true, true, false),
      wrong: fc.uniqueArray(
        fc.record({
          policy_id: few("p", "q"),
          rule_id: few("r", "s"),
          key: few("", "Owner", "owner"),
          state: few("open" as const, "resolved" as const),
        }),
        { minLength: 1, maxLength: 4, selector: ({ policy_id, rule_id, key }) => `${policy_id}/${rule_id}/${key}` },
      ),
    }),
    { minLength: 1, maxLength: 6 },
  ),
  decisions: fc.array(
    fc.record({
      named: fc.subarray([...PARTS], { minLength: 1, maxLength: 3 }),
      policy_id: few("p", "q"),
      rule_id: few("r", "s"),
      key: few("Owner", "owner"),
      accounts: some("111122223333", "444455556666", "777788889999"),
      regions: some("us-east-1", "eu-west-1"),
      types: some("campaign" as const, "filter" as const),
      names: fc.uniqueArray(namePattern, { minLength: 1, maxLength: 2 }),
      // Of findings that there are, by number, or patterns; or both.
      arns: fc
        .oneof(
          { weight: 3, arbitrary: fc.uniqueArray(fc.nat({ max: 23 }), { minLength: 1, maxLength: 2 }) },
          {
            weight: 1,
            arbitrary: fc.uniqueArray(few<number | string>(0, "*campaign*", "*:111122223333:*", "arn:*a_b*"), {
              minLength: 1,
              maxLength: 2,
            }),
          },
        )
        .map((items): (number | string)[] => items),
      tags: fc.dictionary(few("Stage", "stage", "aws:cloudformation:stack-name"), valuePattern, {
        minKeys: 1,
        maxKeys: 2,
        noNullPrototype: true,
      }),
      begins_in: few(-3600, -3600, -3600, 3600),
      ends_in: few(7200, 7200, 7200, -60),
      revoked: few(false, false, false, true),
    }),
    { minLength: 1, maxLength: 8 },
  ),
});

describeOnBoth("which exemptions cover which findings, on %s", (kind) => {
  let opened: OpenDatabase;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
  });
  afterAll(() => opened.close());

  test("is what the rule says, in the view that decides it and in every list", async () => {
    const { database } = opened;
    let covered = 0;
    let open = 0;
    await fc.assert(
      fc.asyncProperty(world, async ({ things, decisions }) => {
        await emptyTables(database);
        const seed = seeder(database);
        const known: Thing[] = [];
        const found: Finding[] = [];
        for (const [index, { wrong, known: is_known, account, ...thing }] of things.entries()) {
          const arn = `arn:aws:personalize:${thing.region}:${account}:${thing.type}/${thing.name}-${index}`;
          const place = { arn, account_id: account, region: thing.region, type: thing.type };
          if (is_known) {
            const { name, tags } = thing;
            await seed.resource({ ...place, name, tags });
            known.push({ arn, name, tags });
          }
          for (const finding of wrong) {
            const over =
              finding.state === "resolved" ? { resolution: "fixed_observed" as const, resolved_at: new Date(0) } : {};
            found.push(await seed.finding(place, { ...finding, ...over }));
          }
        }
        const now = new Date();
        const after = (seconds: number) => new Date(now.getTime() + seconds * 1000);
        const arnOf = (arn: number | string) =>
          typeof arn === "string" ? arn : (found[arn % Math.max(1, found.length)]?.arn ?? "arn:none");
        const rows = decisions.map(({ begins_in, ends_in, revoked, named, arns, ...scope }, index) => ({
          ...only(named, { ...scope, arns: [...new Set(arns.map(arnOf))] }),
          id: `e${index}`,
          starts_at: ends_in < 0 ? after(-3600) : after(begins_in),
          expires_at: after(ends_in),
          revoked_at: revoked ? now : null,
          revoked_by: revoked ? "bob" : null,
        }));
        for (const row of rows) await seed.exemption(row);

        const expected = new Map(
          found.map((finding) => [
            finding.id,
            rows
              .filter((row) =>
                covers(
                  { ...row, ...SAID },
                  finding,
                  known.find(({ arn }) => arn === finding.arn),
                  now,
                ),
              )
              .map(({ id }) => id)
              .toSorted(),
          ]),
        );
        open += found.filter(({ state }) => state === "open").length;
        covered += [...expected.values()].filter((by) => by.length > 0).length;
        const decided = await database
          .select({ id: covered_findings.id, by: covered_findings.exemption_ids })
          .from(covered_findings);
        expect(new Map(decided.map(({ id, by }) => [id, by.toSorted()]))).toEqual(expected);

        // A preview asks about findings that are not stored. For those that are, it agrees.
        const isCovered = coveredBy(await exemptionsInForce(database));
        for (const { id, state, ...finding } of found) {
          const thing = known.find(({ arn }) => arn === finding.arn);
          if (state !== "open" || !thing) continue;
          const holder = { ...finding, name: thing.name, tags: thing.tags ?? null };
          expect(isCovered(finding, holder)).toBe((expected.get(id) ?? []).length > 0);
        }

        const { items } = await findingsPage(database, { effective_status: "all" }, { page_size: 500 });
        for (const item of items) {
          const by = expected.get(item.id) ?? [];
          expect(item.exemption_ids.toSorted()).toEqual(by);
          const unresolved = by.length > 0 ? "exempt" : "open";
          expect(item.effective_status).toBe(item.state === "open" ? unresolved : "resolved");
          const ends = rows.filter(({ id }) => by.includes(id)).map(({ expires_at }) => expires_at.getTime());
          expect(item.exempt_until?.getTime() ?? null).toBe(ends.length > 0 ? Math.max(...ends) : null);
        }
        const listed = await exemptionsPage(database, { status: ["all"] }, { page_size: 500 });
        expect(new Map(listed.items.map((item) => [item.id, item.covered_findings]))).toEqual(
          new Map(rows.map(({ id }) => [id, [...expected.values()].filter((by) => by.includes(id)).length])),
        );
      }),
      { numRuns: kind === "postgres" ? 100 : 40 },
    );
    // Neither nothing nor everything, or this has shown nothing.
    expect(covered / open).toBeGreaterThan(0.1);
    expect(covered / open).toBeLessThan(0.9);
  });

  test("a scope that names nothing is refused by the table itself", async () => {
    await emptyTables(opened.database);
    await expect(seeder(opened.database).exemption({})).rejects.toMatchObject({
      cause: { message: expect.stringContaining("exemptions_have_a_scope") as string },
    });
    const [row] = await opened.database.select({ count: sql<number>`count(*)::integer` }).from(exemptions);
    expect(row?.count).toBe(0);
  });
});

/** A scope that names these parts and no others. */
function only<Scope extends Record<(typeof PARTS)[number], unknown>>(named: readonly string[], scope: Scope) {
  const parts = Object.entries(scope).map(([part, value]) => [part, named.includes(part) ? value : null]);
  return Object.fromEntries(parts) as { [Part in keyof Scope]: Scope[Part] | null };
}

/** What is said of every exemption and decides nothing. */
const SAID = { source: "api" as const, reason: "", requested_by: "", approved_by: "", created_at: new Date(0) };
