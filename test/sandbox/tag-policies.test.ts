import * as org from "@aws-sdk/client-organizations";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mergeTagPolicies } from "../../src/policy/tag-policy/merge.ts";
import { parseTagPolicy } from "../../src/policy/tag-policy/parse.ts";
import { parseEffectivePolicy } from "../../src/policy/tag-policy/parse-effective.ts";
import { checkInput, type Json } from "../../src/sandbox/check-input.ts";
import { ORGANIZATIONS } from "../../src/sandbox/organizations.ts";
import { Roles } from "../../src/sandbox/roles.ts";
import type { Context } from "../../src/sandbox/service.ts";
import { mergeTagPolicies as mergeOfTheSandbox, SEEDED_TAG_POLICIES } from "../../src/sandbox/tag-policies.ts";
import { World } from "../../src/sandbox/world.ts";
import { plainlyControlledDocuments } from "../policy/tag-policy/arbitrary.ts";
import { clientsOf, errorOf, sandboxes } from "./sdk.ts";

const start = sandboxes();
const TAG_POLICY = "TAG_POLICY" as const;

describe("tag policies of the sandbox's organization", () => {
  it("are ones that AWS would accept", () => {
    for (const { content } of SEEDED_TAG_POLICIES) {
      expect(parseTagPolicy(JSON.stringify(content))).toMatchObject({ problems: [], warnings: [] });
    }
  });

  it("are found along the way from an account up to the root, and are together its effective policy", async () => {
    const { organizations, accounts } = await organization();
    for (const account of accounts) {
      const path = [account.Id!];
      while (!path[0]!.startsWith("r-")) {
        const { Parents } = await organizations.send(new org.ListParentsCommand({ ChildId: path[0]! }));
        path.unshift(Parents![0]!.Id!);
      }
      const attached = [];
      for (const target of path) {
        const question = { TargetId: target, Filter: TAG_POLICY };
        const { Policies } = await organizations.send(new org.ListPoliciesForTargetCommand(question));
        for (const { Id } of Policies!) {
          const { Policy } = await organizations.send(new org.DescribePolicyCommand({ PolicyId: Id! }));
          attached.push({ target, policy: parseTagPolicy(Policy!.Content).policy! });
        }
      }
      const { EffectivePolicy } = await organizations.send(
        new org.DescribeEffectivePolicyCommand({ PolicyType: TAG_POLICY, TargetId: account.Id! }),
      );
      const merged = mergeTagPolicies(attached);
      expect(merged.warnings.map(({ path }) => path)).toEqual(
        attached.length === 2 ? ["tags.owner.tag_value.@@remove"] : [],
      );
      expect(withoutAny(parseEffectivePolicy(EffectivePolicy!.PolicyContent).effective!.tags)).toEqual(
        withoutAny(merged.effective.tags),
      );
    }
    expect(accounts.length).toBeGreaterThan(5);
  });

  it("are listed for the whole organization, and enabled at its root", async () => {
    const { organizations } = await organization();
    const { Policies } = await organizations.send(new org.ListPoliciesCommand({ Filter: TAG_POLICY }));
    expect(Policies!.map(({ Name, Type }) => `${Name} ${Type}`)).toEqual([
      "tagging-standard TAG_POLICY",
      "production TAG_POLICY",
    ]);
    const { Roots } = await organizations.send(new org.ListRootsCommand({}));
    expect(Roots![0]!.PolicyTypes).toEqual([{ Type: "TAG_POLICY", Status: "ENABLED" }]);
    const others = await organizations.send(new org.ListPoliciesCommand({ Filter: "BACKUP_POLICY" }));
    expect(others.Policies).toEqual([]);
  });

  it("may be others, or none; then no account has an effective policy", async () => {
    const none = await start({ resources: 50, tag_policies: [] });
    const ask = (PolicyType: "TAG_POLICY" | "BACKUP_POLICY", sandbox = none) =>
      clientsOf(sandbox).organizations.send(new org.DescribeEffectivePolicyCommand({ PolicyType }));
    expect((await errorOf(ask("TAG_POLICY"))).name).toBe("EffectivePolicyNotFoundException");
    expect((await errorOf(ask("BACKUP_POLICY", await start({ resources: 50 })))).name).toBe(
      "EffectivePolicyNotFoundException",
    );
    const content = { tags: { A: {} } };
    const own = await start({
      resources: 50,
      tag_policies: [{ name: "n", description: "d", attached_to: "111122223333", content }],
    });
    const { EffectivePolicy } = await ask("TAG_POLICY", own);
    expect(JSON.parse(EffectivePolicy!.PolicyContent!)).toEqual({ tags: { a: { tag_key: "a", tag_value: ["*"] } } });
  });

  it("are shown to the management account, and to others only as what is in effect for themselves", async () => {
    const { sandbox, accounts } = await organization();
    const member = accounts[1]!.Id!;
    const { organizations } = clientsOf(sandbox, { account_id: member });
    const nameOf = async (call: Promise<unknown>) => (await errorOf(call)).name;
    const { EffectivePolicy } = await organizations.send(
      new org.DescribeEffectivePolicyCommand({ PolicyType: TAG_POLICY }),
    );
    expect(EffectivePolicy!.TargetId).toBe(member);
    const other = new org.DescribeEffectivePolicyCommand({ PolicyType: TAG_POLICY, TargetId: accounts[2]!.Id! });
    expect(await nameOf(organizations.send(other))).toBe("AccessDeniedException");
    expect(await nameOf(organizations.send(new org.ListPoliciesCommand({ Filter: TAG_POLICY })))).toBe(
      "AccessDeniedException",
    );
    expect(await nameOf(organizations.send(new org.ListTagsForResourceCommand({ ResourceId: member })))).toBe(
      "AccessDeniedException",
    );
  });

  it("are not there under another id, nor for the root", async () => {
    const { organizations, root } = await organization();
    const nameOf = async (call: Promise<unknown>) => (await errorOf(call)).name;
    const effective = (TargetId: string) =>
      nameOf(organizations.send(new org.DescribeEffectivePolicyCommand({ PolicyType: TAG_POLICY, TargetId })));
    expect(await effective("999999999999")).toBe("TargetNotFoundException");
    expect(await effective(root)).toBe("InvalidInputException");
    const target = { TargetId: "ou-sb01-00000000", Filter: TAG_POLICY };
    expect(await nameOf(organizations.send(new org.ListPoliciesForTargetCommand(target)))).toBe(
      "TargetNotFoundException",
    );
    expect(await nameOf(organizations.send(new org.DescribePolicyCommand({ PolicyId: "p-nothing000" })))).toBe(
      "PolicyNotFoundException",
    );
    expect(await nameOf(organizations.send(new org.DescribePolicyCommand({ PolicyId: "nothing" })))).toBe(
      "InvalidInputException",
    );
  });
});

describe("tags of accounts in the sandbox", () => {
  it("name an owner, a cost center but for one in seven, and an environment", async () => {
    const { organizations, accounts, root } = await organization();
    const tags = await Promise.all(
      [...accounts.map(({ Id }) => Id!), root].map(async (ResourceId) => {
        const { Tags } = await organizations.send(new org.ListTagsForResourceCommand({ ResourceId }));
        return Object.fromEntries(Tags!.map(({ Key, Value }) => [Key, Value]));
      }),
    );
    expect(tags.pop()).toEqual({});
    expect(tags[1]).toEqual({ CostCenter: "CC-1000", Environment: "prod", Owner: "storefront@example.com" });
    expect(tags.every(({ Owner, Environment }) => Owner && Environment)).toBe(true);
    expect(tags.filter(({ CostCenter }) => CostCenter === undefined)).toHaveLength(1);
  });
});

describe("the sandbox's own merge", () => {
  it("is ours, where a control on a key or on all allows everything or nothing", () => {
    let compared = 0;
    fc.assert(
      fc.property(plainlyControlledDocuments, (attached) => {
        const levels = [...Map.groupBy(attached, ({ target }) => target).values()];
        const theirs = mergeOfTheSandbox(levels.map((level) => level.map(({ document }) => document as Json)));
        const policies = attached.map(({ target, document }) => ({ target, policy: parseTagPolicy(document).policy! }));
        const ours = mergeTagPolicies(policies).effective.tags;
        const read = theirs === null ? [] : parseEffectivePolicy(theirs).effective!.tags;
        expect(sorted(withoutAny(read))).toEqual(sorted(withoutAny(ours)));
        compared += ours.length;
      }),
      { numRuns: 500 },
    );
    expect(compared).toBeGreaterThan(500);
  });
});

describe("answers about policies", () => {
  it("are as the service model says", () => {
    const context = contextOf();
    const ask = (operation: string, input: Json): Json => {
      const answer = ORGANIZATIONS.operations[operation]!(input, context);
      const { output } = ORGANIZATIONS.model.operations.get(operation)!;
      expect([operation, checkInput(ORGANIZATIONS.model, output!, answer)]).toEqual([operation, []]);
      return answer;
    };
    const [policy] = ask("ListPolicies", { Filter: TAG_POLICY })["Policies"] as Json[];
    ask("DescribePolicy", { PolicyId: policy!["Id"] });
    ask("ListPoliciesForTarget", { TargetId: "r-sb01", Filter: TAG_POLICY });
    ask("DescribeEffectivePolicy", { PolicyType: TAG_POLICY });
    ask("ListTagsForResource", { ResourceId: "111122223333" });
    expect(ask("ListTagsForResource", { ResourceId: policy!["Id"] })).toEqual({ Tags: [] });
    ask("ListRoots", {});
  });
});

async function organization() {
  const sandbox = await start({ resources: 50 });
  const { organizations } = clientsOf(sandbox);
  const { Accounts } = await organizations.send(new org.ListAccountsCommand({}));
  const { Roots } = await organizations.send(new org.ListRootsCommand({}));
  return { sandbox, organizations, accounts: Accounts!, root: Roots![0]!.Id! };
}

function contextOf(): Context {
  const now = new Date("2026-11-01T00:00:00Z");
  const world = new World({
    seed: 1,
    resources: 0,
    accounts: 0,
    suspended_accounts: 0,
    regions: ["us-east-1"],
    never_tagged_share: null,
    unindexed_types: [],
    index_lag_ms: 0,
    now: () => now,
  });
  const caller = {
    region: "us-east-1",
    service: "x",
    access_key_id: "x",
    arn: "x",
    user_id: "x",
    role: null,
    session_policy: null,
  };
  return { world, roles: new Roles([]), caller: { ...caller, account_id: "111122223333" }, now };
}

type Tag = { readonly policy_key: string; readonly tag_value: readonly string[] | null };

/** AWS shows any value as `*`, and does not show whether a spelling was said. */
function withoutAny<T extends Tag>(tags: readonly T[]) {
  return tags.map((tag) => ({
    ...tag,
    tag_key_assigned: true,
    tag_value: tag.tag_value?.includes("*") ? null : tag.tag_value,
  }));
}

function sorted<T extends Tag>(tags: readonly T[]): T[] {
  return tags.toSorted((a, b) => (a.policy_key < b.policy_key ? -1 : 1));
}
