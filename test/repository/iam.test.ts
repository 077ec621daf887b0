import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ACTIONS, LIST_ACTIONS, LOOKUP_EVENTS, sessionPolicyText } from "../../src/inventory/actions.ts";
import { RESOURCE_TYPES } from "../../src/inventory/resource-types.ts";

type Statement = { readonly Effect: string; readonly Action: string | readonly string[]; readonly Resource?: unknown };
type Policy = { readonly Version: string; readonly Statement: readonly Statement[] };

const TYPES_DESCRIBED = Object.values(RESOURCE_TYPES).map(
  ({ describe_operation }) => `personalize:${describe_operation}`,
);
const json = (name: string): Policy => JSON.parse(readFileSync(`docs/iam/${name}.json`, "utf8")) as Policy;
const actionsOf = ({ Statement }: Policy): string[] => Statement.flatMap(({ Action }) => Action).toSorted();
const documented = [...readFileSync("docs/iam.md", "utf8").matchAll(/```json\n([\s\S]*?)```/g)].map(
  (match) => JSON.parse(match[1] ?? "") as unknown,
);

describe("the actions that Tagwarden needs", () => {
  test("are those of the table of types: thirteen lists, and descriptions where only they name the parent", () => {
    const rows = Object.values(RESOURCE_TYPES);
    expect(LIST_ACTIONS).toHaveLength(13);
    const parents = rows.filter(({ parent_in }) => parent_in === "description");
    expect(parents).toHaveLength(5);
    expect(ACTIONS.scan).toEqual(
      [
        ...rows.map(({ list_operation }) => `personalize:${list_operation}`),
        ...parents.map(({ describe_operation }) => `personalize:${describe_operation}`),
        "personalize:ListTagsForResource",
        "tag:GetResources",
      ].toSorted(),
    );
  });

  test("of a scan write nothing", () => {
    expect(ACTIONS.scan.filter((action) => !/:(List|Describe|Get)/.test(action))).toEqual([]);
  });

  test.each(["scan", "repair"] as const)(
    "are what the session of a %s is narrowed to, within AWS's 2,048 characters",
    (purpose) => {
      const policy = JSON.parse(sessionPolicyText(purpose, false)) as Policy;
      // An event may have any resource described, and a scan only those whose parent no list names.
      const described = purpose === "scan" ? TYPES_DESCRIBED : [];
      expect(actionsOf(policy)).toEqual([...new Set([...ACTIONS[purpose], ...described])].toSorted());
      expect(sessionPolicyText(purpose, false).length).toBeLessThan(2048);
    },
  );

  test("may be to look up events too, in a scan's session alone and where that is switched on", () => {
    const actions = (purpose: "scan" | "repair", cloudtrail: boolean) =>
      actionsOf(JSON.parse(sessionPolicyText(purpose, cloudtrail)) as Policy);
    expect(actions("scan", true)).toEqual([...actions("scan", false), LOOKUP_EVENTS].toSorted());
    expect(actions("scan", false)).not.toContain(LOOKUP_EVENTS);
    expect(actions("repair", true)).toEqual(actions("repair", false));
    expect(sessionPolicyText("scan", true).length).toBeLessThan(2048);
    expect(actionsOf(json("lookup"))).toEqual([LOOKUP_EVENTS]);
  });

  test.each(["scan", "repair"] as const)("are what docs/iam/%s.json allows, and no other", (purpose) => {
    expect(actionsOf(json(purpose))).toEqual([...ACTIONS[purpose]].toSorted());
  });

  test("are called by no other name anywhere in the code", () => {
    const sources = ["src/inventory/aws/read-tags.ts", "src/remediation/aws/write-tags.ts"];
    const sent = sources.flatMap((path) =>
      [...readFileSync(path, "utf8").matchAll(/new (\w+)Command\(/g)].map((match) => match[1] ?? ""),
    );
    const names = [...ACTIONS.scan, ...ACTIONS.repair].map((action) => action.split(":")[1]);
    expect(sent).toHaveLength(4);
    expect(sent.filter((operation) => !names.includes(operation))).toEqual([]);
  });
});

describe("the files of docs/iam", () => {
  test.each(["scan", "repair", "lookup", "trust", "caller"])("%s.json is what docs/iam.md shows", (name) => {
    expect(documented).toContainEqual(json(name));
  });

  test("the caller may find accounts and assume roles, and nothing else", () => {
    const source = readFileSync("src/inventory/aws/organization-accounts.ts", "utf8");
    const asked = [...source.matchAll(/sdk\.(\w+)Command\(/g)].map((match) => `organizations:${match[1]}`);
    expect(asked).toHaveLength(4);
    expect(actionsOf(json("caller"))).toEqual([...asked, "sts:AssumeRole"].toSorted());
  });
});

type Template = {
  readonly Parameters: Record<
    string,
    { readonly Default?: string; readonly AllowedValues?: string[]; readonly AllowedPattern?: string }
  >;
  readonly Conditions: Record<string, unknown>;
  readonly Resources: Record<
    string,
    { readonly Type: string; readonly Condition?: string; readonly Properties: Record<string, unknown> }
  >;
};

describe("docs/iam/stackset.yaml", () => {
  const text = readFileSync("docs/iam/stackset.yaml", "utf8");
  const template = parse(text, { strict: true }) as Template;
  const { Parameters, Conditions, Resources } = template;
  const policy = (name: string) => Resources[name]?.Properties["PolicyDocument"] as Policy;
  const role = Resources["Role"]?.Properties;

  test("allows what a scan calls, and what a repair calls only where it is asked to", () => {
    expect(actionsOf(policy("ScanPolicy"))).toEqual([...ACTIONS.scan]);
    expect(actionsOf(policy("RepairPolicy"))).toEqual([...ACTIONS.repair].toSorted());
    expect([Resources["ScanPolicy"]?.Condition, Resources["RepairPolicy"]?.Condition]).toEqual([
      undefined,
      "MayRepair",
    ]);
    expect(Conditions["MayRepair"]).toEqual({ "Fn::Equals": [{ Ref: "Repair" }, "yes"] });
    expect(Parameters["Repair"]).toMatchObject({ Default: "no", AllowedValues: ["no", "yes"] });
    expect(role?.["ManagedPolicyArns"]).toEqual([
      { Ref: "ScanPolicy" },
      { "Fn::If": ["SameRoleRepairs", { Ref: "RepairPolicy" }, { Ref: "AWS::NoValue" }] },
      { "Fn::If": ["MayLookUp", { Ref: "LookupPolicy" }, { Ref: "AWS::NoValue" }] },
    ]);
  });

  test("allows to look up events only where it is asked to", () => {
    expect(actionsOf(policy("LookupPolicy"))).toEqual([LOOKUP_EVENTS]);
    expect(Resources["LookupPolicy"]?.Condition).toBe("MayLookUp");
    expect(Conditions["MayLookUp"]).toEqual({ "Fn::Equals": [{ Ref: "LookUp" }, "yes"] });
    expect(Parameters["LookUp"]).toMatchObject({ Default: "no", AllowedValues: ["no", "yes"] });
  });

  test("makes a role of its own for repairs where one is named, which lets in the same and only repairs", () => {
    const own = Resources["RepairRole"];
    expect(own?.Condition).toBe("OwnRoleRepairs");
    expect(own?.Properties["ManagedPolicyArns"]).toEqual([{ Ref: "RepairPolicy" }]);
    expect(own?.Properties["AssumeRolePolicyDocument"]).toEqual(role?.["AssumeRolePolicyDocument"]);
    expect(Conditions["OwnRoleRepairs"]).toEqual({
      "Fn::And": [{ Condition: "MayRepair" }, { Condition: "HasRepairRole" }],
    });
  });

  test("lets the auditor in as docs/iam/trust.json does, with an external id where there is one", () => {
    const trusted = role?.["AssumeRolePolicyDocument"] as Policy | undefined;
    const [trust] = json("trust").Statement as unknown as { Condition: unknown }[];
    expect(trusted?.Statement).toEqual([
      {
        ...trust,
        Principal: { AWS: { Ref: "AuditorPrincipal" } },
        Condition: {
          "Fn::If": [
            "HasExternalId",
            { StringEquals: { "sts:ExternalId": { Ref: "ExternalId" } } },
            { Ref: "AWS::NoValue" },
          ],
        },
      },
    ]);
  });

  test("refers to nothing that is not there", () => {
    const names = [...Object.keys(Parameters), ...Object.keys(Resources), "AWS::NoValue"];
    const referred = [...text.matchAll(/Ref: ([\w:]+)/g)].map((match) => match[1] ?? "");
    expect(referred.length).toBeGreaterThan(5);
    expect(referred.filter((name) => !names.includes(name))).toEqual([]);
    const conditions = [...text.matchAll(/Fn::If: \[(\w+)|Fn::If:\n\s+- (\w+)|Condition: (\w+)/g)];
    const used = conditions.map((match) => match[1] ?? match[2] ?? match[3] ?? "");
    const all = Object.keys(Conditions).toSorted();
    expect(all).toEqual([
      "HasExternalId",
      "HasRepairRole",
      "MayLookUp",
      "MayRepair",
      "OwnRoleRepairs",
      "SameRoleRepairs",
    ]);
    expect([...new Set(used)].toSorted()).toEqual(all);
  });

  test.each([
    ["AuditorPrincipal", ["arn:aws:iam::111122223333:role/tagwarden", "111122223333"], ["", "*", "tagwarden"]],
    ["ExternalId", ["", "7d1f0c52-3f0e-4a55-9d0b-6a3c1f1f7a10"], ["a", "with space"]],
    ["RoleName", ["TagwardenAudit"], ["", "path/TagwardenAudit"]],
  ])("%s takes %j and refuses %j", (name, good, bad) => {
    const pattern = new RegExp(Parameters[name]?.AllowedPattern ?? "", "u");
    expect(good.filter((value) => !pattern.test(value))).toEqual([]);
    expect(bad.filter((value) => pattern.test(value))).toEqual([]);
  });
});
