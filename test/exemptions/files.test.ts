import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkExemptions } from "../../src/exemptions/check.ts";
import { exemptionsJsonSchema } from "../../src/exemptions/file.ts";
import { loadExemptions } from "../../src/exemptions/load.ts";
import { compilePolicies, loadPolicies, PolicyError, printedProblem } from "../../src/policy/load.ts";
import { workFolder } from "../support/cli.ts";

const NOW = new Date("2026-11-24T10:00:00Z");
const POLICIES = compilePolicies([
  {
    path: "p.yaml",
    text: "version: 1\nid: cost-allocation\nrules:\n  - {id: cost-center, key: CostCenter, required: true}\n",
  },
  { path: "q.yaml", text: "version: 1\nid: hygiene\nrules:\n  - {id: headroom, max_tags: 45}\n" },
]).policies;
/** What every exemption says, in flow form. */
const SAID = "reason: poc, requested_by: ana, approved_by: bo";

const check = (text: string, policies: typeof POLICIES | null = POLICIES) =>
  checkExemptions([{ path: "exemptions.yaml", text }], { policies, now: NOW });
const problemsOf = (text: string) =>
  check(text).problems.map((one) => printedProblem(one).replace("exemptions.yaml:", ""));
const warningsOf = (text: string) =>
  check(text).warnings.map((one) => printedProblem(one).replace("exemptions.yaml:", ""));
/** One exemption in flow form on line 3. */
const one = (fields: string) => `version: 1\nexemptions:\n  - {${fields}}\n`;
const valid = (fields: string) => one(`${fields}, id: e, ${SAID}, expires: 2027-01-31`);

describe("a file of exemptions", () => {
  test("says what the table has, one value or a list; a day ends at its end, in UTC", () => {
    const { entries, problems, warnings } = check(`version: 1
exemptions:
  - id: poc-campaigns
    policy: cost-allocation
    rule: cost-center
    key: CostCenter
    accounts: '111122223333'
    types: campaign
    regions: [us-east-1, eu-west-1]
    names: ['poc-*']
    arns: ['arn:aws:personalize:*:campaign/poc-*']
    tags: {Stage: poc, 'aws:cloudformation:stack-name': 'poc-*'}
    reason: Proofs of concept are not billed
    ticket: GOV-12
    requested_by: ana@example.com
    approved_by: bo@example.com
    starts: 2026-12-01
    expires: 2027-03-31
  - id: short
    key: Owner
    reason: Until tonight
    requested_by: ana@example.com
    approved_by: bo@example.com
    expires: 2026-11-24T23:30:00+02:00
`);
    expect({ problems, warnings }).toEqual({ problems: [], warnings: [] });
    expect(entries).toEqual([
      {
        id: "poc-campaigns",
        file: "exemptions.yaml",
        line: 3,
        column: 5,
        policy_id: "cost-allocation",
        rule_id: "cost-center",
        key: "CostCenter",
        accounts: ["111122223333"],
        types: ["campaign"],
        regions: ["us-east-1", "eu-west-1"],
        names: ["poc-*"],
        arns: ["arn:aws:personalize:*:campaign/poc-*"],
        tags: { Stage: "poc", "aws:cloudformation:stack-name": "poc-*" },
        reason: "Proofs of concept are not billed",
        ticket: "GOV-12",
        requested_by: "ana@example.com",
        approved_by: "bo@example.com",
        starts_at: new Date("2026-12-01T00:00:00Z"),
        expires_at: new Date("2027-04-01T00:00:00Z"),
      },
      expect.objectContaining({
        id: "short",
        accounts: null,
        tags: null,
        ticket: null,
        starts_at: null,
        expires_at: new Date("2026-11-24T21:30:00Z"),
      }),
    ]);
  });

  test("may be empty of exemptions", () => {
    expect(check("version: 1\nexemptions: []\n")).toEqual({ entries: [], problems: [], warnings: [] });
  });

  test.each([
    ["", ["1:1: is empty. A list of exemptions begins with `version: 1`."]],
    ["version: 1\n", ["1:1: `exemptions` is missing"]],
    ["exemptions: []\n", ["1:1: `version` is missing. This is version 1: write `version: 1`."]],
    ["version: 2\nexemptions: []\n", ["1:10: `version` cannot be `2`. This is version 1: write `version: 1`."]],
    [
      "version: 1\nexemption: []\n",
      ["1:1: `exemptions` is missing", "2:1: unknown field `exemption`. Did you mean `exemptions`?"],
    ],
    ["version: 1\nexemptions: {}\n", ["2:13: `exemptions` must be a list, not a mapping"]],
    [
      "version: 1\nexemptions: []\n---\na: 1\n",
      ["4:1: a second document. One file holds one list of exemptions: remove the `---`."],
    ],
    ["- x\n", ["1:1: the file must be a mapping, not a list"]],
    [
      one("id: e"),
      [
        "3:5: `reason` is missing",
        "3:5: `requested_by` is missing",
        "3:5: `approved_by` is missing",
        "3:5: `expires` is missing",
      ],
    ],
    [one(`id: e, ${SAID}, expires: 2027-01-31`), ["3:5: `e` covers everything: name at least one part of its scope"]],
    [valid("polcy: x"), ["3:6: unknown field `polcy`. Did you mean `policy`?"]],
    [valid("policy_id: cost-allocation"), ["3:6: unknown field `policy_id`. Did you mean `policy`?"]],
    [
      valid("rule: cost-allocation/cost-center"),
      ["3:12: `rule` must begin with a letter or number and hold only letters, numbers and . _ -"],
    ],
    [
      valid("accounts: 111122223333"),
      ["3:16: `accounts` must be a string, not a number. Put it in quotes: '111122223333'."],
    ],
    [
      valid("accounts: ['111122223333', 12]"),
      ["3:33: `accounts[2]` must be a string, not a number. Put it in quotes: '12'."],
    ],
    [valid("accounts: '123'"), ["3:16: `accounts` must be twelve digits, in quotes"]],
    [valid("accounts: []"), ["3:16: `accounts` is an empty list. Name something, or leave it out."]],
    [valid("types: campain"), ["3:13: `types` cannot be `campain`. Did you mean `campaign`?"]],
    [valid("types: [campaign, campaign]"), ["3:24: `campaign` is listed twice"]],
    [valid("regions: us-*"), ["3:15: `regions` must be a region such as `us-east-1`"]],
    [valid("names: '*'"), ["3:13: `names` matches every name: leave it out to mean any"]],
    [
      valid("arns: campaign/x"),
      ["3:12: `arns` must be an ARN, or a pattern such as `arn:aws:personalize:*:campaign/poc-*`"],
    ],
    [valid("arns: 'arn:aws:personalize:*'"), ["3:12: `arns` matches every resource: leave it out to mean any"]],
    [valid("tags: {}"), ["3:12: `tags` names no tag: leave it out to mean any"]],
    [valid("tags: {Stage: 1}"), ["3:20: `tags.Stage` must be a string, not a number. Put it in quotes: '1'."]],
    [valid("key: 'aws:x'"), ["3:11: `key` begins with `aws:`, which AWS keeps for itself"]],
    [
      one(`id: e, key: K, ${SAID}, expires: 2027-02-30`),
      ["3:79: `expires` must be a day such as 2027-03-31, or an instant such as 2027-03-31T18:00:00Z"],
    ],
    [
      one(`id: e, key: K, ${SAID}, expires: 2027-05-24`),
      ["3:79: `e` lasts more than 180 days: it can end at 2027-05-24T00:00:00.000Z at the latest"],
    ],
    [
      one(`id: e, key: K, ${SAID}, starts: 2027-02-01, expires: 2027-01-31`),
      ["3:99: `e` ends at 2027-02-01T00:00:00.000Z, before it begins"],
    ],
    [one(`id: e, key: K, ${SAID.replace("poc", '""')}, expires: 2027-01-31`), ["3:29: `reason` is empty"]],
  ])("that says something wrong: %#", (text, problems) => expect(problemsOf(text)).toEqual(problems));

  test("may last to the end of the 180th day, which is not in the middle of it", () => {
    expect(problemsOf(one(`id: e, key: K, ${SAID}, expires: 2027-05-23`))).toEqual([]);
  });

  test("says all that is wrong with every file at once; an id is there once in all of them", () => {
    const { problems } = checkExemptions(
      [
        { path: "a.exemptions.yaml", text: valid("key: K") },
        { path: "exemptions.yaml", text: `${valid("key: K")}  - {id: f, keys: K}\n` },
      ],
      { policies: null, now: NOW },
    );
    expect(problems.map((problem) => printedProblem(problem))).toEqual([
      "exemptions.yaml:3:18: the exemption id `e` is taken by a.exemptions.yaml:3. Give one of them another id.",
      "exemptions.yaml:4:5: `reason` is missing",
      "exemptions.yaml:4:5: `requested_by` is missing",
      "exemptions.yaml:4:5: `approved_by` is missing",
      "exemptions.yaml:4:5: `expires` is missing",
      "exemptions.yaml:4:13: unknown field `keys`. Did you mean `key`?",
    ]);
  });

  test("that holds an expired exemption, or one about a rule that is not there, is warned of", () => {
    expect(warningsOf(one(`id: e, key: K, ${SAID}, expires: 2026-11-23`))).toEqual([
      "3:79: `e` expired at 2026-11-24T00:00:00.000Z and does nothing. Extend it, or take it out.",
    ]);
    expect(warningsOf(valid("policy: cost-alocation"))).toEqual([
      "3:14: no policy has the id `cost-alocation`. Did you mean `cost-allocation`?",
    ]);
    expect(warningsOf(valid("policy: hygiene, rule: cost-center"))).toEqual([
      "3:29: policy `hygiene` has no rule `cost-center`. Possible here: headroom.",
    ]);
    expect(warningsOf(valid("rule: cost-centre"))).toEqual([
      "3:12: no policy has a rule `cost-centre`. Did you mean `cost-center`?",
    ]);
    expect(warningsOf(valid("rule: cost-center"))).toEqual([]);
    expect(check(valid("policy: any-other"), null).warnings).toEqual([]);
    for (const text of [one(`id: e, key: K, ${SAID}, expires: 2026-11-23`), valid("policy: cost-alocation")])
      expect(problemsOf(text)).toEqual([]);
  });
});

describe("a folder of policies with exemptions in it", () => {
  const POLICY = "version: 1\nid: p\nrules:\n  - {id: r, key: K, required: true}\n";

  test("has the same policies, and the same set, as without", async () => {
    const folder = await workFolder({ "p.yaml": POLICY });
    const before = await loadPolicies(folder);
    await mkdir(join(folder, "team"));
    for (const name of ["exemptions.yaml", "poc.exemptions.yml", "team/exemptions.yaml"])
      await writeFile(join(folder, name), one(`id: ${name.replace("/", "-")}, key: K, ${SAID}, expires: 2027-01-31`));
    const after = await loadPolicies(folder);
    expect(after.id).toBe(before.id);
    expect(after.files).toEqual(before.files);
    const { entries } = await loadExemptions(folder, { policies: after.policies, now: NOW });
    expect(entries.map(({ file }) => file)).toEqual(["exemptions.yaml", "poc.exemptions.yml", "team/exemptions.yaml"]);
  });

  test("a file whose name only resembles is a policy", async () => {
    const folder = await workFolder({ "p.yaml": POLICY, "myexemptions.yaml": POLICY.replace("id: p", "id: q") });
    expect((await loadPolicies(folder)).policies.map(({ id }) => id)).toEqual(["q", "p"]);
    expect((await loadExemptions(folder, { policies: null, now: NOW })).entries).toEqual([]);
  });

  test("errors name files as given", async () => {
    const folder = await workFolder({ "p.yaml": POLICY, "exemptions.yaml": "version: 1\nexemptions: [{id: e}]\n" });
    const error = await loadExemptions(folder, { policies: null, now: NOW }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(PolicyError);
    expect((error as PolicyError).message).toContain(`${folder}/exemptions.yaml:2:14: \`reason\` is missing\n`);
  });

  test("the schema that editors read is the one of the code", async () => {
    const written: unknown = JSON.parse(await readFile("policies/exemptions.schema.json", "utf8"));
    expect(written, "run `tagwarden exemptions schema > policies/exemptions.schema.json`").toEqual(
      JSON.parse(JSON.stringify(exemptionsJsonSchema())),
    );
  });
});
