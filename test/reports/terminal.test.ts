import { stripVTControlCharacters } from "node:util";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ScanDetails, ScanReport } from "../../src/reports/scan-report.ts";
import type { FindingRow } from "../../src/reports/store.ts";
import { formatFindings, formatScanReport } from "../../src/reports/terminal.ts";
import { displayWidth, fit, printable, wrap } from "../../src/terminal/text.ts";

const NOON = new Date("2026-03-02T12:00:00.000Z");
const none = { planned: 0, verified: 0, unchanged: 0, conflict: 0, failed: 0, blocked: 0, skipped: 0 };

const report: ScanReport = {
  scan_id: "01890000-0000-7000-8000-000000000000",
  state: "partial",
  started_at: NOON,
  finished_at: new Date(NOON.getTime() + 4200),
  policies: {
    set_id: "3f2a9c1d77",
    items: [
      { policy_id: "cost", title: "Cost", owner: null, rules: 2 },
      { policy_id: "hygiene", title: "Hygiene", owner: null, rules: 1 },
    ],
  },
  warnings: ["No permission to ask the index in eu-west-1."],
  compliance: {
    compliant: 900,
    noncompliant: 98,
    exempt: 3,
    unknown: 12,
    not_applicable: 4,
    ratio: 0.901,
    strict_ratio: 0.888,
    coverage: 0.988,
    units_incomplete: 1,
    units_never_read: 0,
  },
  findings: {
    open: 110,
    exempt: 3,
    opened: 5,
    reopened: 2,
    resolved: 8,
    unchanged: 103,
    by_rule: { "cost/center": { missing: 70, invalid: 10 }, "hygiene/leftovers": { forbidden: 30 } },
  },
  remediation: { ...none, planned: 3, verified: 2, conflict: 1 },
  readings: { index: 980, service: 30, stored: 7, sampled: 1, mismatched: 0 },
  api_calls: { total: 1204, throttled: 7, ListCampaigns: 9 },
  units: [
    {
      account_id: "111122223333",
      region: "us-east-1",
      type: "campaign",
      state: "complete",
      resources: 1017,
      error: null,
    },
    {
      account_id: "444455556666",
      region: "eu-west-1",
      type: "filter",
      state: "denied",
      resources: 0,
      error: {
        name: "AccessDeniedException",
        message: "not authorized to perform personalize:ListFilters",
        operation: "ListFilters",
      },
    },
  ],
};
const details: ScanDetails = {
  rules: [
    {
      policy_id: "cost",
      rule_id: "center",
      title: "Cost",
      severity: "critical",
      open: 80,
      exempt: 3,
      resources: 80,
      kinds: { missing: 70, invalid: 10 },
    },
    {
      policy_id: "hygiene",
      rule_id: "leftovers",
      title: "Hygiene",
      severity: "low",
      open: 30,
      exempt: 0,
      resources: 28,
      kinds: { forbidden: 30 },
    },
  ],
  places: [{ account_id: "111122223333", region: "us-east-1", type: "campaign", noncompliant: 98, in_scope: 1013 }],
  places_total: 14,
  worst: [
    {
      account_id: "111122223333",
      region: "us-east-1",
      type: "campaign",
      arn: "arn:aws:personalize:us-east-1:111122223333:campaign/shop",
      name: "shop",
      severity: "critical",
      open: 2,
      keys: ["CostCenter", "Owner"],
    },
  ],
  unknowns: [{ reason: "tags could not be read: ThrottlingException", resources: 12 }],
  changes: {
    opened: { observed: 5 },
    changed: {},
    reopened: { regressed: 1, reverted: 1 },
    resolved: { fixed_observed: 7, resource_gone: 1 },
  },
  held: 60,
};
const calm: ScanReport = {
  ...report,
  state: "succeeded",
  warnings: [],
  compliance: {
    ...report.compliance,
    noncompliant: 0,
    exempt: 0,
    unknown: 0,
    ratio: 1,
    strict_ratio: 1,
    coverage: 1,
    units_incomplete: 0,
  },
  findings: { open: 0, exempt: 0, opened: 0, reopened: 0, resolved: 0, unchanged: 0, by_rule: {} },
  remediation: none,
  units: report.units.slice(0, 1),
};
const nothing: ScanDetails = {
  rules: [],
  places: [],
  places_total: 0,
  worst: [],
  unknowns: [],
  changes: { opened: {}, changed: {}, reopened: {}, resolved: {} },
  held: 0,
};
const plain = { color: false, width: 100 };

describe("the report for a person", () => {
  test("says what is wrong, where, what is not known, what changed and what to do next", () => {
    const text = formatScanReport({ report, details, account_names: { "111122223333": "prod" } }, plain);
    expect(text).toMatchInlineSnapshot(`
      "Scan 01890000-0000-7000-8000-000000000000  partial
      4.2 s · 1,017 resources in 2 units · 1,204 API calls, 7 throttled
      Policies 3f2a9c1d: cost, hygiene (3 rules)
      ! No permission to ask the index in eu-west-1.

      90.1 % compliant   strict 88.8 % · coverage 98.8 %
      ████████████████████████████████████████████████████▓▓▓▓▓▓▒░
      █ 900 compliant · ▓ 98 noncompliant · ▒ 3 exempt · ░ 12 unknown · 4 not applicable

      What is wrong   110 open findings, 3 exempt
        critical  80  ━━━━━━━━━━━━  cost/center: 70 missing, 10 invalid
        low       30  ━━━━━         hygiene/leftovers: forbidden

      Where   noncompliant of all in scope
        98 of 1,013  prod (111122223333) · us-east-1 · campaign
        and 13 more places

      Worst resources
        critical  campaign/shop
                  prod (111122223333) · us-east-1 · CostCenter, Owner

      Not known   could not be read or judged: never counted as a pass
        444455556666 · eu-west-1 · filter denied: ListFilters AccessDeniedException: not authorized to
          perform personalize:ListFilters
        12 resources: tags could not be read: ThrottlingException

      Since last time
        5 opened (seen for the first time)
        2 reopened (1 fixed before, 1 someone reverted our repair)
        8 resolved (7 fixed, 1 resource gone)
        103 unchanged
        60 closures held back, too many at once to be believed.

      3 repairs: 2 verified, 1 conflict.

      Next
        tagwarden findings --rule cost/center   the worst, one by one
        tagwarden plan   propose the repairs; nothing is changed yet
        tagwarden scans confirm 01890000-0000-7000-8000-000000000000   close what was held back
        tagwarden scans show 01890000-0000-7000-8000-000000000000   what could not be read, unit by unit
      "
    `);
  });

  test("with nothing wrong is short and offers no repair", () => {
    expect(formatScanReport({ report: calm, details: nothing }, plain)).toMatchInlineSnapshot(`
      "Scan 01890000-0000-7000-8000-000000000000  succeeded
      4.2 s · 1,017 resources in 1 unit · 1,204 API calls, 7 throttled
      Policies 3f2a9c1d: cost, hygiene (3 rules)

      100.0 % compliant
      ████████████████████████████████████████████████████████████
      █ 900 compliant · ▓ 0 noncompliant · 4 not applicable

      No open finding.

      Since last time
        Nothing changed.
      "
    `);
  });

  test("does not praise what it could not read", () => {
    const partly = {
      ...calm,
      state: "partial" as const,
      compliance: { ...calm.compliance, unknown: 7, coverage: 0.992 },
    };
    const text = formatScanReport({ report: partly, details: { ...nothing, unknowns: details.unknowns } }, plain);
    expect(text).toContain("Nothing is wrong with what could be read.");
    expect(text).toContain("coverage 99.2 %");
    expect(text).toContain(`tagwarden scans show ${report.scan_id}`);
  });

  test.each([
    ["no resource was found", { compliant: 0, not_applicable: 0, unknown: 0 }],
    ["no rule applies to the 4 resources found", { compliant: 0, not_applicable: 4, unknown: 0 }],
    ["none of the 9 resources could be judged", { compliant: 0, not_applicable: 0, unknown: 9 }],
    ["every resource that could be judged is exempt", { compliant: 0, not_applicable: 0, unknown: 1, exempt: 2 }],
  ])("shows no percentage when %s", (why, counts) => {
    const empty = {
      ...calm,
      compliance: { ...calm.compliance, ratio: null, strict_ratio: null, coverage: null, ...counts },
    };
    const text = formatScanReport({ report: empty, details: nothing }, plain);
    expect(text).toContain(`Compliance is not known: ${why}.`);
    expect(text).not.toContain("%");
  });

  test("says when units were never read, and when closures are held back", () => {
    const unread = { ...report, compliance: { ...report.compliance, coverage: null, units_never_read: 2 } };
    const text = formatScanReport({ report: unread, details }, plain);
    expect(text).toContain("Coverage is not known: 2 units never read.");
    expect(text).toContain("60 closures held back");
    expect(text).toContain(`tagwarden scans confirm ${report.scan_id}`);
  });

  test.each([40, 60, 80, 120])("fits into %i columns", (width) => {
    const long = {
      ...details,
      worst: [{ ...details.worst[0]!, name: "x".repeat(200) }],
      unknowns: [{ reason: "r".repeat(200), resources: 1 }],
    };
    const lines = formatScanReport(
      { report, details: long, account_names: { "111122223333": "生産".repeat(30) } },
      { color: false, width },
    ).split("\n");
    // The commands are printed whole, so that they can be copied, as is the id of the scan.
    for (const line of lines)
      if (!/tagwarden|^Scan /.test(line)) expect(displayWidth(line), line).toBeLessThanOrEqual(width);
  });

  test("has colour only when asked, and the same words with it", () => {
    const text = formatScanReport({ report, details }, plain);
    const colored = formatScanReport({ report, details }, { ...plain, color: true });
    expect(text).not.toContain("\u001b");
    expect(colored).toContain("\u001b[");
    expect(stripVTControlCharacters(colored)).toBe(text);
  });

  test("no text from outside can move the cursor, ring or reorder", () => {
    const evil = "\u001b]0;owned\u0007\u001b[2J\u202eexe\r\n\u009b31m";
    const text =
      formatScanReport(
        {
          report: {
            ...report,
            warnings: [evil],
            policies: { set_id: "x", items: [{ policy_id: evil, title: evil, owner: evil, rules: 1 }] },
            units: [{ ...report.units[1]!, error: { name: evil, message: evil, operation: evil } }],
          },
          details: {
            ...details,
            worst: [{ ...details.worst[0]!, name: evil, keys: [evil] }],
            unknowns: [{ reason: evil, resources: 1 }],
            rules: [{ ...details.rules[0]!, rule_id: evil }],
          },
          account_names: { "111122223333": evil },
        },
        plain,
      ) +
      formatFindings(
        { items: [{ ...row, name: evil, key: evil }], next_page_token: null, total: { count: 1, type: "EXACT" } },
        plain,
      );
    expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202a-\u202e]/u);
  });
});

const row = {
  account_id: "111122223333",
  region: "us-east-1",
  type: "campaign",
  arn: "arn:aws:personalize:us-east-1:111122223333:campaign/shop",
  name: "shop",
  rule_id: "center",
  key: "CostCenter",
  kind: "missing",
  severity: "high",
  effective_status: "open",
} as FindingRow;

describe("the table of findings", () => {
  test("shows severity, kind, place, rule, key and resource, and how many there are", () => {
    const page = {
      items: [row, { ...row, severity: "low" as const, effective_status: "exempt" as const, key: "" }],
      next_page_token: "x",
      total: { count: 10_000, type: "AT_LEAST" as const },
    };
    expect(formatFindings(page, plain)).toMatchInlineSnapshot(`
      "SEVERITY  KIND       ACCOUNT       REGION          RULE · KEY · RESOURCE
      high      missing    111122223333  us-east-1       center · CostCenter · campaign/shop
      low       missing    111122223333  us-east-1       center · campaign/shop (exempt)

      2 of at least 10,000 findings
      "
    `);
    expect(formatFindings(page, { color: false, width: 60 })).toMatchInlineSnapshot(`
      "SEVERITY  KIND       RULE · KEY · RESOURCE
      high      missing    center · CostCenter · campaign/shop
      low       missing    center · campaign/shop (exempt)

      2 of at least 10,000 findings
      "
    `);
  });

  test("on a narrow terminal gives a long resource a line of its own, so that rule and key stay readable", () => {
    const name = "email-offers-staging-similar-items-batch-1";
    const page = { items: [{ ...row, name }], next_page_token: null, total: { count: 1, type: "EXACT" as const } };
    expect(formatFindings(page, { color: false, width: 70 })).toMatchInlineSnapshot(`
      "SEVERITY  KIND       RULE · KEY · RESOURCE
      high      missing    center · CostCenter
                campaign/email-offers-staging-similar-items-batch-1

      1 finding
      "
    `);
  });

  test("without findings says so", () => {
    expect(formatFindings({ items: [], next_page_token: null, total: { count: 0, type: "EXACT" } }, plain)).toBe(
      "No finding.\n",
    );
  });
});

test("a fitted text has exactly the width, whatever is in it", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme" }),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom("end" as const, "middle" as const),
      (text, width, cut) => {
        expect(displayWidth(fit(printable(text), width, { cut }))).toBe(width);
      },
    ),
  );
});

test("wrapping loses no word", () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z]{1,12}$/)), fc.integer({ min: 5, max: 40 }), (words, width) => {
      expect(wrap(words.join(" "), width).join(" ")).toBe(words.join(" "));
    }),
  );
});
