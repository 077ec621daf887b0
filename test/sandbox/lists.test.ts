import * as sdk from "@aws-sdk/client-personalize";
import { GetResourcesCommand } from "@aws-sdk/client-resource-groups-tagging-api";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ResourceType } from "../../src/inventory/resource-types.ts";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES } from "../../src/inventory/resource-types.ts";
import type { Sandbox } from "../../src/sandbox/server.ts";
import { clientsOf, errorOf, ONE_TARGET, sandboxes } from "./sdk.ts";

const start = sandboxes();

type AnyClient = { send(command: unknown): Promise<Record<string, unknown>> };
type AnyCommand = new (input: object) => unknown;

/** Calls an operation by name. */
function call(client: object, operation: string, input: object): Promise<Record<string, unknown>> {
  const command = (sdk as unknown as Record<string, AnyCommand>)[`${operation}Command`];
  if (!command) throw new Error(`The SDK has no ${operation}`);
  return (client as AnyClient).send(new command(input));
}

/** All pages of a list. */
async function listAll(sandbox: Sandbox, type: ResourceType, input: { maxResults?: number } = {}): Promise<string[][]> {
  const row = RESOURCE_TYPES[type];
  const { personalize } = clientsOf(sandbox);
  const pages: string[][] = [];
  let nextToken: unknown;
  do {
    const answer = await call(personalize, row.list_operation, { ...input, ...(nextToken ? { nextToken } : {}) });
    pages.push((answer[row.list_key] as Record<string, string>[]).map((item) => item[row.arn_field]!));
    nextToken = answer.nextToken;
  } while (nextToken);
  return pages;
}

describe("lists of the sandbox", () => {
  it.each(RESOURCE_TYPE_NAMES)("lists every %s once, page by page", async (type) => {
    const sandbox = await start({ ...ONE_TARGET, resources: 1000 });
    const expected = [...sandbox.resources({ type })].map(({ arn }) => arn);
    const pages = await listAll(sandbox, type, { maxResults: 7 });
    expect(expected.length).toBeGreaterThan(0);
    expect(pages.flat().toSorted()).toEqual(expected.toSorted());
    expect(pages.slice(0, -1).every((page) => page.length === 7)).toBe(true);
  });

  it("cuts the whole into slices, whatever the size of a page and the order", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 500 });
    const whole = new Map<ResourceType, string[]>();
    for (const type of RESOURCE_TYPE_NAMES) whole.set(type, (await listAll(sandbox, type, { maxResults: 100 })).flat());
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...RESOURCE_TYPE_NAMES),
        fc.integer({ min: 1, max: 100 }),
        async (type, size) => {
          const all = whole.get(type) ?? [];
          const pages = await listAll(sandbox, type, { maxResults: size });
          expect(pages.flat()).toEqual(all);
          expect(pages.length).toBe(Math.max(1, Math.ceil(all.length / size)));
        },
      ),
      { numRuns: 40 },
    );
  });

  it("goes on where a page ended when resources come and go between pages", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 500 });
    const { personalize } = clientsOf(sandbox);
    const first = await personalize.send(new sdk.ListFiltersCommand({ maxResults: 5 }));
    const seen = first.Filters!.map(({ filterArn }) => filterArn!);
    sandbox.deleteResource(seen[1]!);
    const made = sandbox.createResource({ account_id: "111122223333", region: "us-east-1" }, "filter", "late-filter");
    const rest = await personalize.send(new sdk.ListFiltersCommand({ maxResults: 100, nextToken: first.nextToken! }));
    const arns = rest.Filters!.map(({ filterArn }) => filterArn!);
    expect(arns.some((arn) => seen.includes(arn))).toBe(false);
    expect(arns.at(-1)).toBe(made);
    expect(seen.length + arns.length).toBe([...sandbox.resources({ type: "filter" })].length + 1);
  });

  it("filters by parent", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 2000 });
    const { personalize } = clientsOf(sandbox);
    for (const type of RESOURCE_TYPE_NAMES) {
      const row = RESOURCE_TYPES[type];
      if (row.parent_filter === null) continue;
      const above = row.parent_filter === "solutionArn" ? "solution" : row.parent;
      const children = Map.groupBy(sandbox.resources({ type }), ({ parent }) =>
        type === "campaign" ? parent!.slice(0, parent!.lastIndexOf("/")) : parent!,
      );
      expect([type, children.size > 1]).toEqual([type, true]);
      for (const { arn } of sandbox.resources({ type: above as ResourceType })) {
        const answer = await call(personalize, row.list_operation, { [row.parent_filter]: arn });
        const found = (answer[row.list_key] as Record<string, string>[]).map((item) => item[row.arn_field]);
        expect(new Set(found)).toEqual(new Set(children.get(arn)?.map((child) => child.arn)));
        expect(found).toHaveLength(children.get(arn)?.length ?? 0);
      }
    }
  }, 60_000);

  it("lists data deletion jobs newest first", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 2000 });
    const { dataDeletionJobs = [] } = await clientsOf(sandbox).personalize.send(
      new sdk.ListDataDeletionJobsCommand({}),
    );
    const dates = dataDeletionJobs.map((job) => job.creationDateTime!.getTime());
    expect(dates.length).toBeGreaterThan(5);
    expect(dates[0]).toBeGreaterThan(dates.at(-1)!);
  });

  it("refuses a token of another list, a made-up token and a page that is too large", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 1000 });
    const { personalize } = clientsOf(sandbox);
    const { nextToken } = await personalize.send(new sdk.ListFiltersCommand({ maxResults: 1 }));
    const other = personalize.send(new sdk.ListSolutionsCommand({ nextToken: nextToken! }));
    expect((await errorOf(other)).name).toBe("InvalidNextTokenException");
    const madeUp = personalize.send(new sdk.ListFiltersCommand({ nextToken: "abc" }));
    expect((await errorOf(madeUp)).name).toBe("InvalidNextTokenException");
    const large = await errorOf(personalize.send(new sdk.ListFiltersCommand({ maxResults: 101 })));
    expect(large).toMatchObject({ name: "InvalidInputException", status: 400 });
    expect(large.message).toContain("maxResults");
  });

  it("never returns tags with lists and descriptions", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 300 });
    const { personalize } = clientsOf(sandbox);
    for (const type of RESOURCE_TYPE_NAMES) {
      const row = RESOURCE_TYPES[type];
      const { arn } = sandbox.resources({ type }).next().value as { arn: string };
      const list = (await call(personalize, row.list_operation, {}))[row.list_key] as object[];
      const described = (await call(personalize, row.describe_operation, { [row.arn_field]: arn }))[row.describe_key];
      expect(Object.keys(list[0]!)).not.toContain("tags");
      expect(described).toMatchObject({ [row.arn_field]: arn });
      expect(Object.keys(described as object)).not.toContain("tags");
    }
  });
});

describe("the tagging index of the sandbox", () => {
  it("shows exactly what was ever tagged, in pages that are slices of the whole", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 400 });
    const { tagging } = clientsOf(sandbox);
    const expected = [...sandbox.resources()].filter(({ ever_tagged }) => ever_tagged).map(({ arn }) => arn);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 100 }), async (ResourcesPerPage) => {
        const arns: string[] = [];
        let PaginationToken = "";
        do {
          const answer = await tagging.send(new GetResourcesCommand({ ResourcesPerPage, PaginationToken }));
          arns.push(...answer.ResourceTagMappingList!.map(({ ResourceARN }) => ResourceARN!));
          PaginationToken = answer.PaginationToken!;
        } while (PaginationToken !== "");
        expect(arns).toEqual(expected.toSorted());
      }),
      { numRuns: 15 },
    );
  });
});
