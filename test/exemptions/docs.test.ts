import { readFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { OpenDatabase } from "../../src/db/client.ts";
import { checkExemptions } from "../../src/exemptions/check.ts";
import { covered_findings } from "../../src/findings/db/covered.ts";
import { followFiles } from "../../src/exemptions/store.ts";
import type { ResourceType } from "../../src/inventory/resource-types.ts";
import { loadPolicies } from "../../src/policy/load.ts";
import { openApp } from "../http/open-app.ts";
import { seeder } from "../reports/seed.ts";
import { cli, workFolder } from "../support/cli.ts";
import { emptyTables, openTestDatabase } from "../support/database.ts";

const DOCUMENT = readFileSync("docs/exemptions.md", "utf8");
const fences = (kind: string) =>
  [...DOCUMENT.matchAll(new RegExp(`^\`\`\`${kind}(?: (.*))?\n([^]*?)^\`\`\`$`, "gm"))].map((match) => ({
    about: match[1] ?? "",
    text: match[2] ?? "",
  }));
const ROWS = [...DOCUMENT.matchAll(/^\| `(.*)` +\| `(.*)` +\| (yes|no) +\|$/gm)].map(
  ([, scope = "", resource = "", covered = ""]) => ({ scope, resource, covered }),
);
/** When the document was written: its dates are as far ahead as they should be. */
const WRITTEN = new Date("2026-12-01T12:00:00Z");
const IN_MONTHS = (months: number) => new Date(Date.now() + months * 30 * 86_400_000).toISOString().slice(0, 10);
const current = (text: string) => text.replaceAll("2027-03-31", IN_MONTHS(3)).replaceAll("2027-06-30", IN_MONTHS(5));

describe("what docs/exemptions.md says", () => {
  let opened: OpenDatabase;
  beforeAll(async () => {
    opened = await openTestDatabase("pglite");
  });
  afterAll(() => opened.close());
  beforeEach(() => emptyTables(opened.database));

  test("every example is run", () => {
    expect(fences("yaml").length + fences("json").length + fences("sh").length).toBe(
      DOCUMENT.match(/^```\w/gm)?.length,
    );
    expect([fences("yaml").length, fences("json").length, fences("sh").length]).toEqual([1, 3, 1]);
    expect(ROWS.length).toBeGreaterThanOrEqual(14);
  });

  test("the file is valid, about rules that are there, and may be recorded", async () => {
    const [file] = fences("yaml");
    const { policies } = await loadPolicies("policies");
    const files = [{ path: "exemptions.yaml", text: file?.text ?? "" }];
    const { entries, problems, warnings } = checkExemptions(files, { policies, now: WRITTEN });
    expect({ problems, warnings }).toEqual({ problems: [], warnings: [] });
    expect(entries.map(({ id }) => id)).toEqual(["poc-campaigns", "legacy-tracker"]);
    expect(entries[0]?.expires_at).toEqual(new Date("2027-04-01T00:00:00Z"));
  });

  test.each(ROWS)("$scope covers $resource: $covered", async ({ scope, resource, covered }) => {
    const { database } = opened;
    const seed = seeder(database);
    const [type = "", name = "", ...tagged] = resource.replace("(never read)", "").trim().split(" ");
    const tags = resource.includes("never read") ? null : Object.fromEntries(tagged.map((tag) => tag.split("=")));
    const on = await seed.resource({ type: type as ResourceType, name, tags });
    await seed.finding(on, { policy_id: "cost-allocation" });
    const said = `reason: x, requested_by: a, approved_by: b, expires: ${IN_MONTHS(1)}`;
    const text = `version: 1\nexemptions:\n  - {id: e, ${said}, ${scope}}\n`;
    const checked = checkExemptions([{ path: "exemptions.yaml", text }], { policies: null, now: new Date() });
    expect(checked.problems).toEqual([]);
    await followFiles(database, checked.entries, { folder: ".", actor: "test" });
    const [finding] = await database.select().from(covered_findings);
    expect(finding?.exemption_ids).toEqual(covered === "yes" ? ["e"] : []);
  });

  test("the requests are accepted, one after the other", async () => {
    const { app } = openApp(opened.database);
    let id = "";
    const answers = [];
    for (const { about, text } of fences("json")) {
      const [method = "", path = ""] = about.split(" ");
      const headers = { "Content-Type": "application/json", ...(method === "PATCH" && { "If-Match": '"1"' }) };
      const response = await app.request(path.replace("{id}", id), { method, headers, body: current(text) });
      const body = (await response.json()) as { id: string; status: string };
      id = body.id;
      answers.push([response.status, body.status]);
    }
    expect(answers).toEqual([
      [201, "active"],
      [200, "active"],
      [200, "revoked"],
    ]);
  });

  test("the commands do what they say", { timeout: 120_000 }, async () => {
    const cwd = await workFolder();
    const lines = (fences("sh")[0]?.text ?? "").trim().split("\n");
    expect(lines.length).toBe(7);
    let id = "";
    for (const line of lines) {
      const words = [...current(line).matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
      const [npx, program, ...rest] = words.map((word) => (word === "EXEMPTION_ID" ? id : word));
      expect([npx, program]).toEqual(["npx", "tagwarden"]);
      const ended = await cli(rest, { cwd, env: { LOG_LEVEL: "silent" } });
      expect(ended, line).toMatchObject({ code: 0, stderr: "" });
      id ||= /^Exemption (\S+): active, unused/.exec(ended.stdout)?.[1] ?? "";
    }
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("the two tables of requests name those that there are", async () => {
    const { app } = openApp(opened.database);
    const served = (await (await app.request("/openapi.json")).json()) as { paths: Record<string, object> };
    const there = Object.entries(served.paths)
      .filter(([path]) => path.includes("exemptions"))
      .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
    for (const path of ["docs/exemptions.md", "docs/api.md"]) {
      const named = [...readFileSync(path, "utf8").matchAll(/^\| `([A-Z]+ \/api\/v1\/exemptions[^`]*)`/gm)].map(
        ([, request]) => request ?? "",
      );
      expect(named.toSorted(), path).toEqual(there.toSorted());
    }
  });
});
