import { eq, sql } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { OpenDatabase } from "../../src/db/client.ts";
import { openPglite, openPostgres } from "../../src/db/client.ts";
import { finding_events, findings } from "../../src/findings/schema.ts";
import { scans } from "../../src/inventory/schema.ts";
import { plan_actions, plans } from "../../src/remediation/schema.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { cli, sandboxEnvironment, startCli, workFolder } from "../support/cli.ts";
import { describeOnBoth, openTestDatabase } from "../support/database.ts";
import { byIdentity, expectedFindings } from "../support/expected.ts";
import { POLICIES } from "../support/scan.ts";

const policy = POLICIES.files[0]?.text ?? "";

describeOnBoth("kill -9 at any moment, on %s", (kind) => {
  let sandbox: Sandbox;
  let given: { cwd: string; env: Record<string, string> };
  let server: Awaited<ReturnType<typeof openTestDatabase>> | null;

  beforeEach(async () => {
    sandbox = await startSandbox({ resources: 300, accounts: 0, regions: ["us-east-1"] });
    server = kind === "postgres" ? await openTestDatabase("postgres") : null;
    const cwd = await workFolder({ "test.yaml": policy });
    const database: Record<string, string> = server?.url ? { DATABASE_URL: server.url } : {};
    given = { cwd, env: { ...sandboxEnvironment(sandbox.url), TAGWARDEN_POLICIES: ".", ...database } };
  });
  afterEach(async () => {
    await sandbox.close();
    await server?.close();
  });

  /** The database as the killed process left it, for a look from outside. */
  async function look<T>(read: (opened: OpenDatabase) => Promise<T>): Promise<T> {
    const opened = server?.url
      ? await openPostgres(server.url)
      : await openPglite(`${given.cwd}/.tagwarden/sandbox/pglite`);
    try {
      return await read(opened);
    } finally {
      await opened.close();
    }
  }

  async function killAfter(words: string[], done: () => boolean): Promise<void> {
    const running = startCli(words, given);
    while (!done() && running.process.exitCode === null) await new Promise((wait) => setTimeout(wait, 2));
    running.process.kill("SIGKILL");
    await running.ended;
  }

  /** Kills a scan that has recorded a unit and cannot end, however quick the machine is: one list is refused, one hangs. */
  async function killHalfWay(): Promise<void> {
    sandbox.setFaults([
      { kind: "access_denied", operation: "ListFilters" },
      { kind: "hang", operation: "ListCampaigns" },
    ]);
    const running = startCli(["scan"], { ...given, env: { ...given.env, LOG_LEVEL: "debug" } });
    const recorded = new Promise<void>((done) => {
      let log = "";
      running.process.stderr?.on("data", (text: Buffer) => {
        log += text.toString();
        if (log.includes("unit ended")) done();
      });
    });
    const ended = await Promise.race([recorded, running.ended]);
    expect(ended, "the scan ended before it was killed").toBeUndefined();
    running.process.kill("SIGKILL");
    await running.ended;
    sandbox.setFaults([]);
  }

  // On a server a run that was killed has to be waited for until its lease ends.
  test("during a scan: the next one is right, and nothing is recorded twice", { timeout: 180_000 }, async () => {
    // The first call is the caller's identity; the lists, the readings and the end follow.
    for (const calls of kind === "pglite" ? [1, 5, 20, 60, 150] : [5]) {
      sandbox.calls.reset();
      await killAfter(["scan"], () => sandbox.calls.total >= calls);
    }
    await killHalfWay();
    const last = await cli(["scan", "--json"], given);
    expect(last.stderr).not.toMatch(/error/i);
    expect(last.code).toBe(0);
    await look(async ({ database }) => {
      const open = await database.select().from(findings).where(eq(findings.state, "open"));
      const found = open.map(({ arn, rule_id: rule, key, kind }) => ({ arn, rule, key, kind }));
      expect(found.toSorted(byIdentity)).toEqual(expectedFindings(sandbox));
      const twice = await database
        .select({ id: finding_events.finding_id })
        .from(finding_events)
        .groupBy(finding_events.finding_id)
        .having(sql`count(*) > 1`);
      expect(twice).toEqual([]);
      const states = (await database.select().from(scans)).map(({ state }) => state);
      expect(new Set(states)).toEqual(new Set(["failed", "succeeded"]));
    });
  });

  test(
    "during an apply: the same plan applied again ends right, and nothing is written twice",
    { timeout: 180_000 },
    async () => {
      expect((await cli(["scan"], given)).code).toBe(0);
      const planned = await cli(["plan", "--json"], given);
      const { plan } = JSON.parse(planned.stdout) as { plan: { id: string } };
      const before = new Map([...sandbox.resources()].map(({ arn, tags }) => [arn, Object.fromEntries(tags)]));
      sandbox.calls.reset();
      const writes = () =>
        (sandbox.calls.by_operation["TagResource"] ?? 0) + (sandbox.calls.by_operation["UntagResource"] ?? 0);
      for (const count of kind === "pglite" ? [1, 3, 8, 15] : [1, 9])
        await killAfter(["apply", plan.id, "--yes"], () => writes() >= count);

      const last = await cli(["apply", plan.id, "--yes", "--json"], given);
      // What a stack manages is blocked, and said with exit code 3.
      expect(last.code).toBe(3);
      await look(async ({ database }) => {
        const [row] = await database.select().from(plans).where(eq(plans.id, plan.id));
        expect(row?.state).toBe("applied");
        const actions = await database.select().from(plan_actions).where(eq(plan_actions.plan_id, plan.id));
        expect(actions.length).toBeGreaterThan(20);
        const verified = actions.filter(({ state }) => state === "verified");
        const blocked = actions.filter(({ state }) => state === "blocked");
        expect(verified.length + blocked.length).toBe(actions.length);
        for (const { note } of blocked) expect(note).toContain("stack");
        const tagged = verified.filter(({ changes }) => changes.some(({ after }) => after !== null)).length;
        const untagged = verified.filter(({ changes }) => changes.some(({ after }) => after === null)).length;
        expect(writes()).toBe(tagged + untagged);
        for (const { arn, tags } of sandbox.resources()) {
          const expected = new Map(Object.entries(before.get(arn) ?? {}));
          for (const { key, after } of verified.find((action) => action.arn === arn)?.changes ?? []) {
            if (after === null) expected.delete(key);
            else expected.set(key, after);
          }
          expect(Object.fromEntries(tags)).toEqual(Object.fromEntries(expected));
        }
      });
    },
  );
});
