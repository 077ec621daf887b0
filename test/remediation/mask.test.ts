import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OpenDatabase } from "../../src/db/client.ts";
import { rowsOf } from "../../src/db/rows.ts";
import { maskAction, maskChanges, sensitiveKeys } from "../../src/remediation/mask.ts";
import { activateSet } from "../../src/findings/activate.ts";
import { describeOnBoth, openTestDatabase } from "../support/database.ts";
import { setOf } from "./world.ts";

const SET = setOf(
  "version: 1\nid: p\nrules:\n  - {id: owner, key: Cost-Owner, aliases: [Payer], format: email, sensitive: true}\n  - {id: team, key: Team, required: true}",
);
const isSensitive = sensitiveKeys(SET);

describe("what a plan shows of sensitive values", () => {
  test("a key that differs in case or punctuation only is sensitive too, another is not", () => {
    for (const key of ["Cost-Owner", "cost_owner", "COSTOWNER", "payer", "Cost Owner"])
      expect(isSensitive(key)).toBe(true);
    for (const key of ["Owner", "Team", "Cost-Owners", "-"]) expect(isSensitive(key)).toBe(false);
  });

  test("a value that a template built from a sensitive one is hidden like it, wherever it stands", () => {
    const action = {
      changes: [
        { key: "Contact", before: null, after: "mailto:jane@example.com" },
        { key: "Team", before: "a", after: "b" },
      ],
      decided_on: { Payer: "jane@example.com", Other: "x" },
      reads_from: [],
      tags_before: { Payer: "jane@example.com" },
      tags_after: { Payer: "jane@example.com", Contact: "mailto:jane@example.com" },
    };
    expect(maskChanges(action, isSensitive)).toEqual([
      { key: "Contact", before: null, after: "***" },
      { key: "Team", before: "a", after: "b" },
    ]);
    const shown = JSON.stringify(maskAction(action, isSensitive));
    expect(shown).not.toContain("jane");
    expect(shown).toContain('"Other":"x"');
  });
});

describeOnBoth("the view of sensitive keys on %s", (kind) => {
  let opened: OpenDatabase;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
  });
  afterAll(() => opened.close());

  test("folds keys as plans do", async () => {
    await activateSet(opened.database, SET, "test", new Date());
    const keys = ["Cost-Owner", "cost_owner", "COST.OWNER", "Owner", "Cost-Owners", "cost owner ", "K\u00f6st-Owner"];
    const rows = await rowsOf<{ key: string; hidden: boolean }>(
      opened.database,
      sql`select key, exists (select from reporting.sensitive_keys where folded = lower(regexp_replace(key, '[^[:alnum:]]', '', 'g'))) as hidden
        from jsonb_array_elements_text(${JSON.stringify(keys)}::text::jsonb) as key`,
    );
    expect(rows.map(({ key, hidden }) => [key, hidden])).toEqual(keys.map((key) => [key, isSensitive(key)]));
  });
});
