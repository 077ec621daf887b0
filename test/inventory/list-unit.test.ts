import { afterEach, describe, expect, test } from "vitest";
import { listUnit } from "../../src/inventory/aws/list-unit.ts";
import type { Aws } from "../../src/inventory/aws/session.ts";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES, type ResourceType } from "../../src/inventory/resource-types.ts";
import {
  ACCOUNT,
  type Call,
  identity,
  openScripted,
  type Reply,
  type ScriptedAws,
  startScriptedAws,
} from "./scripted-aws.ts";

const arn = (name: string) => `arn:aws:personalize:us-east-1:${ACCOUNT}:campaign/${name}`;
const campaign = (name: string) => ({
  campaignArn: arn(name),
  name,
  status: "ACTIVE",
  creationDateTime: 1_700_000_000.5,
});
const page = (names: string[], nextToken?: string): Reply => ({ body: { campaigns: names.map(campaign), nextToken } });

let aws: Aws;
let scripted: ScriptedAws;
afterEach(async () => {
  aws.close();
  await scripted.close();
});

async function list(
  type: ResourceType,
  script: Record<string, (call: Call) => Reply>,
  signal = new AbortController().signal,
) {
  scripted = await startScriptedAws({ GetCallerIdentity: () => identity(ACCOUNT), ...script });
  aws = openScripted(scripted);
  const pages = listUnit(await aws.target({ account_id: ACCOUNT, region: "us-east-1" }), type, signal);
  const names: string[][] = [];
  for (;;) {
    const next = await pages.next();
    if (next.done) return { names, end: next.value };
    names.push(next.value.map((resource) => resource.name));
  }
}

describe("listing a unit", () => {
  test("pages by the service's token, 100 at a time, to the last page", async () => {
    const inputs: unknown[] = [];
    const { names, end } = await list("campaign", {
      ListCampaigns: ({ input, turn }) => {
        inputs.push(input);
        return [page(["a", "b"], "t1"), page([], "t2"), page(["c"], "")][turn] as Reply;
      },
    });
    expect(names).toEqual([["a", "b"], [], ["c"]]);
    expect(end).toEqual({ listed: true, pages: 3, rejected: 0, error: null });
    expect(inputs).toEqual([
      { maxResults: 100 },
      { maxResults: 100, nextToken: "t1" },
      { maxResults: 100, nextToken: "t2" },
    ]);
  });

  test.each(RESOURCE_TYPE_NAMES)("a %s has the list and the fields of its row", async (type) => {
    const { list_operation, list_key, arn_field, name_field, arn_prefix, arn_parts } = RESOURCE_TYPES[type];
    const resourceArn = `arn:aws:personalize:us-east-1:${ACCOUNT}:${arn_prefix}/one${arn_parts === 3 ? "/two" : ""}`;
    const summary = { [arn_field]: resourceArn, status: "ACTIVE", ...(name_field && { [name_field]: "its-name" }) };
    const { names, end } = await list(type, { [list_operation]: () => ({ body: { [list_key]: [summary] } }) });
    expect(end).toMatchObject({ listed: true, error: null });
    expect(names).toEqual([[name_field ? "its-name" : "one"]]);
  });

  test("a resource that moved to a later page while listing counts once", async () => {
    const { names, end } = await list("campaign", {
      ListCampaigns: ({ turn }) => (turn === 0 ? page(["a", "b"], "t") : page(["b", "c", "c"])),
    });
    expect(names).toEqual([["a", "b"], ["c"]]);
    expect(end.listed).toBe(true);
  });

  test.each([
    ["the same again", (turn: number) => page([`c${turn}`], "t")],
    ["an earlier one", (turn: number) => page([`c${turn}`], ["t0", "t1", "t2", "t1"][turn] ?? "t")],
  ])("a token that is %s ends the listing incomplete", async (_, reply) => {
    const { end } = await list("campaign", { ListCampaigns: ({ turn }) => reply(turn) });
    expect(end).toMatchObject({ listed: false, error: { name: "RepeatedToken", operation: "ListCampaigns" } });
    expect(scripted.turns["ListCampaigns"]).toBeLessThanOrEqual(4);
  });

  test(
    "a list that goes in a circle under tokens that are always new ends incomplete",
    { timeout: 30_000 },
    async () => {
      const { names, end } = await list("campaign", {
        ListCampaigns: ({ turn }) => (turn < 1000 ? page(["a", "b"], `t${turn}`) : page([])),
      });
      expect(names.flat()).toEqual(["a", "b"]);
      expect(end).toMatchObject({ listed: false, error: { name: "EndlessList", operation: "ListCampaigns" } });
    },
  );

  test("a token that is no longer valid starts the list over, once, and every resource counts once", async () => {
    const { names, end } = await list("campaign", {
      ListCampaigns: ({ turn }) =>
        [page(["a"], "t"), { error: "InvalidNextTokenException" }, page(["a", "b"], "t"), page(["c"])][turn] as Reply,
    });
    expect(names).toEqual([["a"], ["b"], ["c"]]);
    expect(end).toMatchObject({ listed: true, pages: 3, error: null });
  });

  test("a token that is again no longer valid ends the listing incomplete", async () => {
    const { end } = await list("campaign", {
      ListCampaigns: ({ input }) => (input["nextToken"] ? { error: "InvalidNextTokenException" } : page(["a"], "t")),
    });
    expect(end).toMatchObject({ listed: false, error: { name: "InvalidNextTokenException" } });
    expect(scripted.turns["ListCampaigns"]).toBe(4);
  });

  test.each([
    ["without an ARN", { name: "x", status: "ACTIVE" }, "an entry has no campaignArn"],
    ["of another account", { campaignArn: arn("x").replace(ACCOUNT, "999999999999") }, /is not in account/],
    ["of another region", { campaignArn: arn("x").replace("us-east-1", "eu-west-1") }, /is not in account/],
    ["of another type", { campaignArn: arn("x").replace("campaign/", "filter/") }, /is of type filter/],
  ])("an entry %s makes the listing incomplete, and the others count", async (_, entry, message) => {
    const { names, end } = await list("campaign", {
      ListCampaigns: () => ({ body: { campaigns: [campaign("a"), entry, campaign("b")] } }),
    });
    expect(names).toEqual([["a", "b"]]);
    expect(end).toMatchObject({ listed: false, rejected: 1, error: { name: "UnexpectedEntry" } });
    expect(end.error?.message).toMatch(message);
  });

  test("a reply without the list is an error, not an empty list", async () => {
    const { end } = await list("filter", { ListFilters: () => ({ body: { filters: [] } }) });
    expect(end).toMatchObject({
      listed: false,
      pages: 0,
      error: { name: "UnexpectedReply", message: "the reply has no field Filters" },
    });
  });

  test.each([
    ["AccessDeniedException", { error: "AccessDeniedException" }],
    ["ThrottlingException", { error: "ThrottlingException" }],
    ["InternalServerException", { error: "InternalServerException", status: 500 }],
    ["SyntaxError", { half: '{"campaigns":[{"camp' }],
  ] as const)("%s in the middle ends the listing incomplete, after the pages that were read", async (name, reply) => {
    const { names, end } = await list("campaign", {
      ListCampaigns: ({ turn }) => (turn === 0 ? page(["a"], "t") : reply),
    });
    expect(names).toEqual([["a"]]);
    expect(end).toMatchObject({ listed: false, pages: 1 });
    if (!("half" in reply)) expect(end.error?.name).toBe(name);
  });
});
