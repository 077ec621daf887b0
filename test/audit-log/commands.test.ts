import type { Command } from "commander";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { auditHead, verifyAudit } from "../../src/audit-log/store.ts";
import { audit_log } from "../../src/audit-log/schema.ts";
import { COMMANDS } from "../../src/cli/program.ts";
import { createScan } from "../../src/scan/store.ts";
import { after, read, resourceOf, scan } from "../findings/world.ts";
import { cli, sandboxEnvironment, workFolder } from "../support/cli.ts";
import { emptyTables } from "../support/database.ts";
import { POLICY, World } from "../remediation/world.ts";
import { listener } from "./told.ts";

/** Commands that change something on a person's order: each is run below. */
const CHANGING = [
  "apply",
  "exemptions add",
  "exemptions extend",
  "exemptions revoke",
  "pause",
  "plan",
  "plans approve",
  "plans reject",
  "policies activate",
  "resume",
  "scan",
  "scans cancel",
  "scans confirm",
  "scans reject",
];
/** Commands that only look, or write no more than files. */
const LOOKING = [
  "audit head",
  "audit list",
  "audit verify",
  "exemptions check",
  "exemptions list",
  "exemptions schema",
  "exemptions show",
  "fights list",
  "findings",
  "plans list",
  "plans show",
  "policies diff",
  "policies explain",
  "policies export",
  "policies import",
  "policies preview",
  "policies schema",
  "policies test",
  "policies validate",
  "policies versions",
  "report",
  "scans list",
  "scans show",
  "schedules list",
  "schedules show",
  "targets",
];
/** Commands that change something and are looked at where their plans and fights are made: plans-and-fights.test.ts. */
const ELSEWHERE = ["fights end", "undo"];
/** Processes and tables that other commands and the API work with. */
const RUNNING = ["migrate", "sandbox", "serve", "worker"];

const namesOf = (name: string, command: Command): string[] =>
  command.commands.length === 0
    ? [name]
    : command.commands.flatMap((child) => namesOf(`${name} ${child.name()}`, child));

test("every command is in a list of this test", async () => {
  const all: string[] = [];
  for (const [name, { load }] of Object.entries(COMMANDS)) all.push(...namesOf(name, await load()));
  expect(all.toSorted()).toEqual([...CHANGING, ...ELSEWHERE, ...LOOKING, ...RUNNING].toSorted());
});

test(
  "what a command does has exactly one entry for each thing, and what it refuses, or finds done, none",
  { timeout: 900_000 },
  async () => {
    const world = await World.open("postgres");
    const { database } = world;
    const told = listener(database);
    const run = new Set<string>();
    try {
      await world.reset();
      await database.execute(sql`truncate audit_log`);
      const cwd = await workFolder({ "p.yaml": POLICY.replace("Tags", "Tags, as they are wanted") });
      const env = {
        ...sandboxEnvironment(world.sandbox.url),
        DATABASE_URL: world.opened.url ?? "",
        TAGWARDEN_POLICIES: cwd,
      };
      /** Runs a command; `action subject` of each entry that it made, and what it printed. */
      const tagwarden = async (...words: string[]) => {
        const ended = await cli(words, { cwd, env });
        const entries = await told();
        const name = CHANGING.find((one) => words.join(" ").startsWith(one));
        if (entries.length > 0)
          run.add(CHANGING.includes(words.slice(0, 2).join(" ")) ? words.slice(0, 2).join(" ") : (name ?? ""));
        return { ...ended, entries };
      };
      const arns = [world.create({ CostCenter: "CC-0001" }), world.create({ "cost-center": "CC-1234" })];

      const scanned = await tagwarden("scan", "--activate", "--json");
      expect(scanned.stderr + scanned.stdout).toContain("scan_id");
      const { scan_id, policies } = JSON.parse(scanned.stdout) as { scan_id: string; policies: { set_id: string } };
      expect(scanned.entries).toEqual([`policies.activated ${policies.set_id}`, `scan.requested ${scan_id}`]);
      expect(await tagwarden("scan", "--types", "campain")).toMatchObject({ code: 2, entries: [] });
      expect(await tagwarden("scans", "cancel", scan_id)).toMatchObject({ code: 1, entries: [] });
      expect(await tagwarden("scans", "confirm", scan_id)).toMatchObject({ code: 1, entries: [] });

      const planned = await tagwarden("plan");
      const [, id = ""] = /tagwarden apply (\S+)/.exec(planned.stdout) ?? [];
      expect(planned.entries).toEqual([`plan.created ${id}`]);
      expect(await tagwarden("plan")).toMatchObject({ code: 0, entries: [] });
      expect((await tagwarden("plans", "approve", id)).entries).toEqual([`plan.approved ${id}`]);
      expect(await tagwarden("plans", "approve", id)).toMatchObject({ code: 0, entries: [] });
      expect((await tagwarden("plans", "reject", id)).entries).toEqual([`plan.rejected ${id}`]);
      expect(await tagwarden("plans", "reject", id)).toMatchObject({ code: 2, entries: [] });
      expect(await tagwarden("plans", "approve", id, "--hash", "0")).toMatchObject({ code: 2, entries: [] });

      const [, next = ""] = /tagwarden apply (\S+)/.exec((await tagwarden("plan")).stdout) ?? [];
      const paused = await tagwarden("pause", "--reason", "INC-1", "--json");
      const { pause } = JSON.parse(paused.stdout) as { pause: { id: string } };
      expect(paused.entries).toEqual([`remediation.paused ${pause.id}`]);
      expect(await tagwarden("pause")).toMatchObject({
        code: 0,
        entries: [],
        stdout: expect.stringMatching(/^Nothing was changed: repairs are paused by .* since .*: INC-1\n$/) as string,
      });
      expect(await tagwarden("apply", next)).toMatchObject({ code: 3, entries: [] });
      expect((await tagwarden("resume")).entries).toEqual([`remediation.resumed ${pause.id}`]);
      expect(await tagwarden("resume")).toMatchObject({
        code: 0,
        entries: [],
        stdout: "Nothing was changed: repairs are not paused.\n",
      });

      const applied = await tagwarden("apply", next);
      expect(applied.code, applied.stderr).toBe(0);
      expect(applied.entries.slice(0, 2)).toEqual([`plan.approved ${next}`, `plan.run_started ${next}`]);
      expect(applied.entries.slice(2, -1).toSorted()).toEqual(
        arns.flatMap((arn) => [`write.began ${arn}`, `write.ended ${arn}`]).toSorted(),
      );
      expect(applied.entries.at(-1)).toBe(`plan.run_ended ${next}`);
      expect(await tagwarden("apply", next)).toMatchObject({ code: 0, entries: [] });

      const scope = ["--policy", "p", "--tags", "Team=secret-team", "--reason", "why", "--approved-by", "bo"];
      const added = await tagwarden("exemptions", "add", ...scope, "--expires", dayIn(30), "--json");
      const exemption = (JSON.parse(added.stdout) as { id: string }).id;
      expect(added.entries).toEqual([`exemption.added ${exemption}`]);
      expect(await tagwarden("exemptions", "add", ...scope, "--expires", dayIn(400))).toMatchObject({
        code: 2,
        entries: [],
      });
      const extend = ["exemptions", "extend", exemption, "--expires", dayIn(60)];
      expect(await tagwarden(...extend)).toMatchObject({ code: 2, entries: [] });
      expect((await tagwarden(...extend, "--approved-by", "bo")).entries).toEqual([`exemption.changed ${exemption}`]);
      expect((await tagwarden("exemptions", "revoke", exemption)).entries).toEqual([`exemption.revoked ${exemption}`]);
      expect(await tagwarden("exemptions", "revoke", exemption)).toMatchObject({ code: 2, entries: [] });

      await writeFile(join(cwd, "p.yaml"), POLICY.replace("Tags", "Other tags"));
      expect((await tagwarden("policies", "activate")).entries).toEqual([
        expect.stringMatching(/^policies.activated [0-9a-f]{64}$/),
      ]);
      expect(await tagwarden("policies", "activate")).toMatchObject({ code: 0, entries: [] });

      // No value that a tag has, had or was to have.
      const rows = await database.select().from(audit_log);
      expect(JSON.stringify(rows)).not.toMatch(/CC-0001|CC-1234|secret-team|"dev"/);
      expect(JSON.stringify(rows)).toContain('"keys":["CostCenter","Environment","cost-center"]');

      await tagwarden("audit", "head", "--json").then(({ stdout }) => writeFile(join(cwd, "head.json"), stdout));
      expect(JSON.parse(await readFile(join(cwd, "head.json"), "utf8"))).toMatchObject({ position: rows.length });
      expect(await tagwarden("audit", "verify", "--head", "head.json")).toMatchObject({ code: 0, stderr: "" });
      const listed = await tagwarden("audit", "list", "--action", "plan.approved", "--limit", "1", "--json");
      expect(JSON.parse(listed.stdout)).toMatchObject({ items: [{ subject: next }], total: { count: 2 } });
      expect(await tagwarden("audit", "list", "--action", "plan.aproved")).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("Did you mean plan.approved?") as string,
      });
      expect(await tagwarden("audit", "verify", "--head", "nowhere")).toMatchObject({ code: 2 });
      await database.execute(sql`alter table audit_log disable trigger audit_log_append_only`);
      await database.execute(sql`delete from audit_log where position = ${rows.length}`);
      expect(await tagwarden("audit", "verify")).toMatchObject({ code: 0 });
      const head = `${(await auditHead(database)).position + 1}:${rows.at(-1)?.hash}`;
      expect(await tagwarden("audit", "verify", "--head", head)).toMatchObject({
        code: 1,
        stdout: expect.stringContaining(
          `Row ${rows.length}: cut off: the log ends with row ${rows.length - 1}`,
        ) as string,
      });
      await database.execute(sql`update audit_log set actor = 'nobody' where position = 4`);
      const bad = await tagwarden("audit", "verify", "--json");
      expect(JSON.parse(bad.stdout)).toMatchObject({ ok: false, rows: 3, fault: { position: 4, fault: "altered" } });

      // What waits or is held takes states that no command makes at once.
      await emptyTables(database);
      const targets = [{ partition: "aws", account_id: world.account_id, region: "us-east-1" }];
      const asked = {
        targets,
        types: ["campaign"],
        confirm_all: false,
        trigger: "schedule",
        requested_by: "x",
      } as const;
      const waiting = (await createScan(database, asked, after(0)))?.scan.id ?? "";
      await told();
      expect((await tagwarden("scans", "cancel", waiting)).entries).toEqual([`scan.cancelled ${waiting}`]);
      const resources = (fixed: number, hours: number) =>
        Array.from({ length: 100 }, (_, index) =>
          read(resourceOf(`c-${index}`), index < fixed ? { Owner: "a", Env: "dev" } : { Env: "dev" }, {
            source: "index",
            read_at: after(hours),
          }),
        );
      for (const [decision, hours] of [
        ["confirm", 1],
        ["reject", 3],
      ] as const) {
        await scan(database, resources(0, hours), { at: after(hours) });
        const held = (await scan(database, resources(60, hours + 1), { at: after(hours + 1) })).scan_id;
        await told();
        expect((await tagwarden("scans", decision, held)).entries).toEqual([`scan.${decision}ed ${held}`]);
      }

      expect([...run].toSorted()).toEqual(CHANGING);
      expect((await verifyAudit(database)).fault).toBeNull();
    } finally {
      await world.close();
    }
  },
);

function dayIn(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}
