import * as fc from "fast-check";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { BEFORE_FIRST, type ChainRow, rowHash } from "../../src/audit-log/chain.ts";
import { AUDIT_ACTIONS, type AuditEntry } from "../../src/audit-log/entry.ts";
import { audit_log } from "../../src/audit-log/schema.ts";
import { appendAudit, auditHead, verifyAudit } from "../../src/audit-log/store.ts";
import type { Database } from "../../src/db/client.ts";
import { rowsOf } from "../../src/db/rows.ts";
import { describeOnBoth, openTestDatabase } from "../support/database.ts";

const AT = new Date("2026-03-01T10:00:00.123Z");

const entry = (n: number): AuditEntry => ({
  at: new Date(AT.getTime() + n),
  actor: `person ${n}`,
  action: AUDIT_ACTIONS[n % AUDIT_ACTIONS.length] ?? "plan.created",
  subject: `subject ${n}`,
  detail: { b: n, a: [1.5, null, true, { ä: "“quoted”\n" }] },
});

/** Text that a person or AWS may send, hostile ones among it. */
const text = fc.oneof(fc.string({ unit: "binary", maxLength: 20 }), fc.constantFrom("a\u0000b", "\ud800", "😀"));

describeOnBoth("somebody with every right on the %s database", (kind) => {
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  let database: Database;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    ({ database } = opened);
    await database.execute(sql`alter table audit_log disable trigger audit_log_append_only`);
  });
  afterAll(() => opened.close());
  beforeEach(() => refill(0));

  /** A log of so many rows, untouched. */
  async function refill(rows: number): Promise<void> {
    await database.execute(sql`truncate audit_log`);
    if (rows === 0) return;
    await database.transaction((transaction) =>
      appendAudit(transaction, ...Array.from({ length: rows }, (_, n) => entry(n + 1))),
    );
  }

  const run = (statement: string) => database.execute(sql.raw(statement));

  /** Rows from here on go so far up or down; by way of places that nobody has. */
  async function shift(from: number, by: number): Promise<void> {
    await run(`update audit_log set position = -position where position >= ${from}`);
    await run(`update audit_log set position = -position + ${by} where position < 0`);
  }

  async function stored(position: number): Promise<ChainRow> {
    const [row] = await rowsOf<ChainRow>(
      database,
      sql`select position::text, trunc(extract(epoch from at) * 1000)::text as at, actor, action, subject, detail::text, prev_hash, hash
          from audit_log where position = ${position}`,
    );
    if (!row) throw new Error(`no row ${position}`);
    return row;
  }

  /** Makes the hash of a row right again, as who knows the code can. */
  async function rehash(position: number): Promise<void> {
    await run(`update audit_log set hash = '${rowHash(await stored(position))}' where position = ${position}`);
  }

  async function fault(): Promise<string | null> {
    const { fault } = await verifyAudit(database);
    return fault && `${fault.fault} ${fault.position}`;
  }

  const ROWS = 7;
  const place = fc.integer({ min: 1, max: ROWS });

  /** What can be set in a row, each to something that differs from what is there. */
  const ALTERATIONS = [
    "at = at + interval '1 millisecond'",
    "at = at - interval '5000 years'",
    "at = 'infinity'",
    "actor = actor || ' '",
    "actor = ''",
    "action = 'scan.cancelled '",
    "subject = upper(subject)",
    `subject = actor, actor = subject`,
    `detail = '{"b":1.0}'`,
    `detail = (detail::text || ' ')::json`,
    `detail = replace(detail::text, '1.5', '1.50')::json`,
    `detail = 'null'`,
    `prev_hash = repeat('f', 64)`,
    `prev_hash = ''`,
    `hash = repeat('0', 63) || '1'`,
    `hash = upper(hash) || 'x'`,
  ];

  test("an untouched log holds, whatever was written into it, and to every head that it ever had", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ actor: text, subject: text, value: text, number: fc.double() }), { maxLength: 8 }),
        async (all) => {
          await refill(0);
          const heads = [await auditHead(database)];
          for (const { actor, subject, value, number } of all) {
            const detail = { value, list: [value, number] };
            const one = { at: AT, actor, action: "plan.created", subject, detail } as const;
            await database.transaction((transaction) => appendAudit(transaction, one));
            heads.push(await auditHead(database));
          }
          for (const head of heads) {
            const expected = { rows: all.length, head: heads.at(-1), fault: null };
            expect(await verifyAudit(database, head)).toEqual(expected);
          }
          // Everything can be read as the view shows it.
          await run(`select detail from reporting.v1_audit_log`);
        },
      ),
      { numRuns: 25 },
    );
  });

  test("a log longer than a page holds, and its rows are 1, 2, 3 …", async () => {
    await refill(2500);
    expect(await verifyAudit(database)).toMatchObject({ rows: 2500, head: { position: 2500 }, fault: null });
    await run("update audit_log set actor = 'nobody' where position = 2001");
    expect(await fault()).toBe("altered 2001");
  });

  test("alters any column of any row: found, and that row named", async () => {
    await fc.assert(
      fc.asyncProperty(place, fc.constantFrom(...ALTERATIONS), async (position, set) => {
        await refill(ROWS);
        await run(`update audit_log set ${set} where position = ${position}`);
        expect(await fault()).toBe(`altered ${position}`);
      }),
      { numRuns: 60 },
    );
  });

  test("alters a row and makes its hash anew: found wherever a row or a head follows, and that row named", async () => {
    for (let position = 1; position < ROWS; position++) {
      await refill(ROWS);
      await run(`update audit_log set actor = 'nobody' where position = ${position}`);
      await rehash(position);
      expect(await fault()).toBe(`altered ${position}`);
    }
    await refill(ROWS);
    const head = await auditHead(database);
    await run(`update audit_log set actor = 'nobody' where position = ${ROWS}`);
    await rehash(ROWS);
    expect(await fault()).toBeNull();
    expect((await verifyAudit(database, head)).fault).toMatchObject({ fault: "rewritten", position: ROWS });
  });

  test("gives a row another place: found, and the first place that is wrong named", async () => {
    await fc.assert(
      fc.asyncProperty(place, fc.constantFrom(-3, 0, ROWS + 1, ROWS + 2, 9_000_000), async (from, to) => {
        await refill(ROWS);
        await run(`update audit_log set position = ${to} where position = ${from}`);
        expect(await fault()).toBe(to < 1 ? `inserted ${to}` : `missing ${from}`);
      }),
      { numRuns: 25 },
    );
  });

  test("deletes rows: found, with or without closing the gap, and the first that is missing named", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: ROWS - 1 }),
        fc.integer({ min: 1, max: 3 }),
        fc.boolean(),
        async (from, wanted, close) => {
          const rows = Math.min(wanted, ROWS - from);
          await refill(ROWS);
          await run(`delete from audit_log where position >= ${from} and position < ${from + rows}`);
          if (close) await shift(from + rows, -rows);
          expect(await fault()).toBe(`missing ${from}`);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("inserts a row between others, with a hash that is right or not: found, and that row named", async () => {
    await fc.assert(
      fc.asyncProperty(place, fc.boolean(), async (position, right) => {
        await refill(ROWS);
        await shift(position, 1);
        const prev_hash = position === 1 ? BEFORE_FIRST : (await stored(position - 1)).hash;
        await run(
          `insert into audit_log values (${position}, now(), 'nobody', 'plan.approved', 'x', '{}', '${prev_hash}', repeat('a', 64))`,
        );
        if (right) await rehash(position);
        expect(await fault()).toBe(`inserted ${position}`);
      }),
      { numRuns: 25 },
    );
  });

  test("puts a row twice, where keys are no obstacle: found", async () => {
    await refill(ROWS);
    await run("alter table audit_log drop constraint audit_log_pkey");
    await run("insert into audit_log select * from audit_log where position = 3");
    expect(await fault()).toBe("inserted 3");
    await run("delete from audit_log where position > 2");
    await run("alter table audit_log add primary key (position)");
  });

  test("swaps two rows: found, and the first of them named", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(place, { minLength: 2, maxLength: 2 }), async (places) => {
        const [low = 0, high = 0] = places.toSorted((a, b) => a - b);
        await refill(ROWS);
        await run(`update audit_log set position = -1 where position = ${low}`);
        await run(`update audit_log set position = ${low} where position = ${high}`);
        await run(`update audit_log set position = ${high} where position = -1`);
        expect(await fault()).toBe(`out_of_order ${low}`);
      }),
      { numRuns: 25 },
    );
  });

  test("cuts the end off: found by a head that was kept, and the first row that is missing named", async () => {
    for (const left of [0, 1, ROWS - 1]) {
      await refill(ROWS);
      const head = await auditHead(database);
      await run(`delete from audit_log where position > ${left}`);
      expect(await fault()).toBeNull();
      expect((await verifyAudit(database, head)).fault).toMatchObject({ fault: "cut_off", position: left + 1 });
      // And also once others were written in their place.
      await database.transaction((transaction) =>
        appendAudit(transaction, ...Array.from({ length: ROWS }, () => entry(99))),
      );
      expect((await verifyAudit(database, head)).fault).toMatchObject({ fault: "rewritten", position: ROWS });
    }
  });
});

describeOnBoth("the audit log on %s", (kind) => {
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
  });
  afterAll(() => opened.close());
  beforeEach(() => opened.database.execute(sql`truncate audit_log`));

  const append = (...entries: AuditEntry[]) =>
    opened.database.transaction((transaction) => appendAudit(transaction, ...entries));

  test("refuses to be changed", async () => {
    await append(entry(1));
    await expect(opened.database.update(audit_log).set({ actor: "nobody" })).rejects.toMatchObject({
      cause: { message: "the audit log is append-only: UPDATE is refused" },
    });
    await expect(opened.database.delete(audit_log)).rejects.toMatchObject({
      cause: { message: "the audit log is append-only: DELETE is refused" },
    });
  });

  test("many who write at the same time give one chain without gaps", async () => {
    await Promise.all(Array.from({ length: 40 }, (_, n) => append(entry(n), entry(n + 100))));
    expect(await verifyAudit(opened.database)).toMatchObject({ rows: 80, head: { position: 80 }, fault: null });
  });

  test("what is rolled back leaves no entry and no gap", async () => {
    await append(entry(1));
    const failed = opened.database.transaction(async (transaction) => {
      await appendAudit(transaction, entry(2));
      throw new Error("no");
    });
    await expect(failed).rejects.toThrow("no");
    await append(entry(3));
    expect(await verifyAudit(opened.database)).toMatchObject({ rows: 2, fault: null });
    expect((await opened.database.select().from(audit_log)).map(({ actor }) => actor)).toEqual([
      "person 1",
      "person 3",
    ]);
  });
});
