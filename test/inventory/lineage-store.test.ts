import { eq, inArray } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Database, OpenDatabase } from "../../src/db/client.ts";
import { loadLineage } from "../../src/inventory/db/lineage.ts";
import { childrenWithoutParent, listingOf, storeParents } from "../../src/inventory/db/parents.ts";
import type { ParentEdge } from "../../src/inventory/lineage.ts";
import { parseArn } from "../../src/inventory/parse-arn.ts";
import { RESOURCE_TYPE_NAMES } from "../../src/inventory/resource-types.ts";
import { parents, resources, units } from "../../src/inventory/schema.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";

const TARGET = { account_id: "111122223333", region: "us-east-1" };
const created = new Date("2026-01-02T03:04:05.678Z");
const updated = new Date("2026-02-02T03:04:05.678Z");
const read_at = new Date("2026-05-04T10:00:00.123Z");
const later = new Date("2026-05-05T10:00:00.123Z");
const arn = (path: string) => `arn:aws:personalize:us-east-1:111122223333:${path}`;

type Row = typeof resources.$inferInsert;

/** A resource by the last part of its ARN; its tags name it. */
function row(path: string, more: Partial<Row> = {}): Row {
  const type = parseArn(arn(path))!.type;
  return {
    arn: arn(path),
    ...TARGET,
    type,
    name: path,
    status: "ACTIVE",
    created_at: created,
    updated_at: updated,
    summary: {},
    tags: { Owner: path },
    source: "service",
    tags_read_at: read_at,
    in_index: true,
    standing: "judged",
    first_seen_at: read_at,
    recorded_at: read_at,
    ...more,
  };
}

const edge = (path: string, parent: string, more: Partial<ParentEdge> = {}): ParentEdge => ({
  arn: arn(path),
  parent_arn: arn(parent),
  source: "describe",
  read_at,
  created_at: created,
  updated_at: updated,
  ...more,
});

/** A world in which every type stands once, with the parents that have to be read. */
const WORLD = [
  row("dataset-group/shop"),
  row("dataset/shop/ITEMS"),
  row("dataset-import-job/import"),
  row("dataset-export-job/export"),
  row("data-deletion-job/erasure", { summary: { datasetGroupArn: arn("dataset-group/shop") } }),
  row("event-tracker/ab12cd34"),
  row("filter/in-stock", { summary: { datasetGroupArn: arn("dataset-group/shop") } }),
  row("recommender/for-you", { summary: { datasetGroupArn: arn("dataset-group/shop"), recipeArn: "x" } }),
  row("solution/ranking"),
  row("solution/ranking/0a1b2c3d"),
  row("campaign/live"),
  row("batch-inference-job/night", { summary: { solutionVersionArn: arn("solution/ranking/0a1b2c3d") } }),
  row("batch-segment-job/segments", { summary: { solutionVersionArn: arn("solution/ranking/0a1b2c3d") } }),
];
const EDGES = [
  edge("dataset-import-job/import", "dataset/shop/ITEMS", { source: "list" }),
  edge("dataset-export-job/export", "dataset/shop/ITEMS"),
  edge("event-tracker/ab12cd34", "dataset-group/shop"),
  edge("solution/ranking", "dataset-group/shop"),
  edge("campaign/live", "solution/ranking/0a1b2c3d"),
];
const GROUP = ["dataset-group/shop"];
const SOLUTION = ["solution/ranking", ...GROUP];
const VERSION = ["solution/ranking/0a1b2c3d", ...SOLUTION];
const DATASET = ["dataset/shop/ITEMS", ...GROUP];
const ABOVE: Record<string, string[]> = {
  "dataset-group/shop": [],
  "dataset/shop/ITEMS": GROUP,
  "dataset-import-job/import": DATASET,
  "dataset-export-job/export": DATASET,
  "data-deletion-job/erasure": GROUP,
  "event-tracker/ab12cd34": GROUP,
  "filter/in-stock": GROUP,
  "recommender/for-you": GROUP,
  "solution/ranking": GROUP,
  "solution/ranking/0a1b2c3d": SOLUTION,
  "campaign/live": VERSION,
  "batch-inference-job/night": VERSION,
  "batch-segment-job/segments": VERSION,
};

describeOnBoth("lineage that %s keeps", (kind) => {
  let opened: OpenDatabase;
  let database: Database;
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    database = opened.database;
  });
  afterAll(() => opened.close());
  beforeEach(async () => {
    await emptyTables(database);
    await database.insert(resources).values(WORLD);
    await storeParents(database, EDGES);
  });

  const missing = async (types = RESOURCE_TYPE_NAMES, onlyArns?: string[]) =>
    (await childrenWithoutParent(database, TARGET, types, onlyArns)).map((child) => child.arn);
  /** Rows as a scan has their resources. */
  const rowsOf = (arns: string[]) => database.select().from(resources).where(inArray(resources.arn, arns));
  const lineage = async (path: string) => (await loadLineage(database, await rowsOf([arn(path)]))).get(arn(path))!;
  const change = (path: string, more: Partial<Row>) =>
    database
      .update(resources)
      .set(more)
      .where(eq(resources.arn, arn(path)));

  describe("what stands above", () => {
    test("every type, up to the dataset group, with the tags as last read", async () => {
      const loaded = await loadLineage(database, await rowsOf(WORLD.map((one) => one.arn)));
      expect(loaded.size).toBe(RESOURCE_TYPE_NAMES.length);
      for (const [path, above] of Object.entries(ABOVE)) {
        expect([path, loaded.get(arn(path))]).toEqual([
          path,
          {
            known: true,
            ancestors: above.map((one) => ({
              arn: arn(one),
              type: parseArn(arn(one))!.type,
              name: one,
              tags: { Owner: one },
              unread: null,
            })),
          },
        ]);
      }
    });

    test("a campaign that follows the latest version stands under its solution", async () => {
      await storeParents(database, [edge("campaign/live", "solution/ranking", { read_at: later })]);
      const { known, ancestors } = await lineage("campaign/live");
      expect(known).toBe(true);
      expect(ancestors.map((one) => one.name)).toEqual(SOLUTION);
    });

    test("nothing asked, nothing loaded; one asked twice is there once", async () => {
      expect((await loadLineage(database, [])).size).toBe(0);
      const [one] = await rowsOf([arn("filter/in-stock")]);
      expect((await loadLineage(database, [one!, one!])).size).toBe(1);
    });

    test("one that a scan sees for the first time has the parents that its ARN and its summary name", async () => {
      const fresh = { type: "filter" as const, name: "new", created_at: created, updated_at: updated };
      const asking = { ...fresh, arn: arn("filter/new"), summary: { datasetGroupArn: arn("dataset-group/shop") } };
      expect((await loadLineage(database, [asking])).get(asking.arn)).toMatchObject({
        known: true,
        ancestors: [{ name: "dataset-group/shop", tags: { Owner: "dataset-group/shop" } }],
      });
      const unread = { ...fresh, type: "campaign" as const, arn: arn("campaign/new"), summary: {} };
      expect((await loadLineage(database, [unread])).get(unread.arn)).toEqual({
        known: false,
        reason: `the parent of ${arn("campaign/new")} was not read, or could not be`,
        ancestors: [],
      });
    });

    test("a parent that is gone, or was never seen, ends it, and the part below stays", async () => {
      await change("dataset-group/shop", { gone_at: later });
      expect(await lineage("campaign/live")).toMatchObject({
        known: false,
        reason: `${arn("dataset-group/shop")}, the parent of ${arn("solution/ranking")}, is gone`,
        ancestors: [{ name: "solution/ranking/0a1b2c3d" }, { name: "solution/ranking" }],
      });
      await database.delete(resources).where(eq(resources.arn, arn("solution/ranking/0a1b2c3d")));
      expect(await lineage("campaign/live")).toMatchObject({
        known: false,
        reason: `${arn("solution/ranking/0a1b2c3d")}, the parent of ${arn("campaign/live")}, is not in the inventory`,
        ancestors: [],
      });
    });

    test("a parent that was not read ends it", async () => {
      await database.delete(parents).where(eq(parents.arn, arn("solution/ranking")));
      expect(await lineage("batch-inference-job/night")).toMatchObject({
        known: false,
        reason: `the parent of ${arn("solution/ranking")} was not read, or could not be`,
        ancestors: [{ name: "solution/ranking/0a1b2c3d" }, { name: "solution/ranking" }],
      });
    });

    test("tags that were never read are null, and not none", async () => {
      await change("solution/ranking", { tags: null, source: null });
      await change("dataset-group/shop", { tags: {} });
      const { ancestors } = await lineage("solution/ranking/0a1b2c3d");
      expect(ancestors).toMatchObject([
        { tags: null, unread: "its tags were never read" },
        { tags: {}, unread: null },
      ]);
    });

    test("tags whose last reading failed are null, and say why", async () => {
      const reading_error = { name: "AccessDeniedException", message: "no", operation: "ListTagsForResource" };
      await change("solution/ranking", { reading_error });
      expect((await lineage("solution/ranking/0a1b2c3d")).ancestors[0]).toMatchObject({
        tags: null,
        unread: "its tags could not be read (ListTagsForResource: AccessDeniedException)",
      });
    });

    test("tags of a type whose last list failed may have changed, so they are null, and say why", async () => {
      const unit = { partition: "aws", ...TARGET, type: "solution" } as const;
      const error = { name: "ThrottlingException", message: "no", operation: "ListSolutions" };
      await database.insert(units).values({ ...unit, state: "failed", listed: false, error });
      const { known, ancestors } = await lineage("solution/ranking/0a1b2c3d");
      expect(known).toBe(true);
      expect(ancestors).toMatchObject([
        {
          tags: null,
          unread: "the last list of type solution did not reach its end (ListSolutions: ThrottlingException)",
        },
        { tags: { Owner: "dataset-group/shop" } },
      ]);
      await database.update(units).set({ state: "complete", listed: true, error: null });
      expect((await lineage("solution/ranking/0a1b2c3d")).ancestors[0]).toMatchObject({ unread: null });
    });

    test("keys that every object inherits are tags like others", async () => {
      const tags = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
      await change("solution/ranking", { tags });
      const [solution] = (await lineage("solution/ranking/0a1b2c3d")).ancestors;
      expect(new Map(Object.entries(solution!.tags!))).toEqual(new Map(Object.entries(tags)));
      expect(solution!.tags!["toString"]).toBeUndefined();
    });
  });

  describe("what has to be read", () => {
    test("nothing when every parent is in hand or stored", async () => {
      expect(await missing()).toEqual([]);
    });

    test("exactly the parents that only descriptions name, with the times that show whether it is still the same", async () => {
      await database.delete(parents);
      expect(await missing()).toEqual(EDGES.map((one) => one.arn).toSorted());
      const [child] = await childrenWithoutParent(database, TARGET, ["solution"]);
      expect(child).toEqual({
        arn: arn("solution/ranking"),
        type: "solution",
        created_at: created,
        updated_at: updated,
      });
      expect(await missing(["solution", "filter", "dataset"])).toEqual([arn("solution/ranking")]);
      expect(await missing(["filter", "dataset"])).toEqual([]);
      expect(await missing(RESOURCE_TYPE_NAMES, [arn("campaign/live"), arn("filter/in-stock")])).toEqual([
        arn("campaign/live"),
      ]);
      expect(await missing(RESOURCE_TYPE_NAMES, [])).toEqual([]);
    });

    test("neither of what is gone, nor of another target", async () => {
      await database.delete(parents);
      await change("campaign/live", { gone_at: later });
      await change("solution/ranking", { region: "eu-west-1" });
      await change("event-tracker/ab12cd34", { account_id: "999988887777" });
      expect(await missing()).toEqual([arn("dataset-export-job/export"), arn("dataset-import-job/import")]);
    });

    test("a resource that was deleted and created anew: the parent of the old one is not its parent", async () => {
      await change("solution/ranking", { created_at: later });
      expect(await missing()).toEqual([arn("solution/ranking")]);
      expect(await lineage("solution/ranking")).toMatchObject({ known: false, ancestors: [] });
      await storeParents(database, [edge("solution/ranking", "dataset-group/shop", { created_at: later })]);
      expect(await missing()).toEqual([]);
      expect(await lineage("solution/ranking")).toMatchObject({ known: true });
    });

    test("a campaign that was updated may have moved, another type cannot", async () => {
      await change("campaign/live", { updated_at: later });
      await change("solution/ranking", { updated_at: later });
      expect(await missing()).toEqual([arn("campaign/live")]);
      expect(await lineage("campaign/live")).toMatchObject({ known: false, ancestors: [] });
      await storeParents(database, [edge("campaign/live", "solution/ranking", { updated_at: later })]);
      expect(await missing()).toEqual([]);
      expect((await lineage("campaign/live")).ancestors.map((one) => one.name)).toEqual(SOLUTION);
    });

    test("a campaign that does not say when it was updated, always", async () => {
      await change("campaign/live", { updated_at: null });
      await storeParents(database, [edge("campaign/live", "solution/ranking", { updated_at: null })]);
      expect(await missing()).toEqual([arn("campaign/live")]);
    });

    test("a resource that does not say when it was created counts as the same while it does not", async () => {
      await change("solution/ranking", { created_at: null });
      expect(await missing()).toEqual([arn("solution/ranking")]);
      await storeParents(database, [edge("solution/ranking", "dataset-group/shop", { created_at: null })]);
      expect(await missing()).toEqual([]);
    });

    test("to the millisecond, whatever the clock of the service", async () => {
      const odd = new Date(1_767_322_999_999);
      await change("solution/ranking", { created_at: odd });
      const [child] = await childrenWithoutParent(database, TARGET, ["solution"]);
      await storeParents(database, [
        { ...edge("solution/ranking", "dataset-group/shop"), created_at: child!.created_at },
      ]);
      expect(await missing()).toEqual([]);
    });
  });

  describe("what is stored", () => {
    test("the last answer, which an earlier one that comes late does not replace", async () => {
      const moved = edge("campaign/live", "solution/ranking", { read_at: later });
      await storeParents(database, [moved]);
      await storeParents(database, [edge("campaign/live", "solution/ranking/0a1b2c3d")]);
      const [stored] = await database
        .select()
        .from(parents)
        .where(eq(parents.arn, arn("campaign/live")));
      expect(stored).toEqual(moved);
    });

    test("thousands at once, and none at all", async () => {
      await storeParents(database, []);
      const many = Array.from({ length: 2500 }, (_, index) =>
        edge(`dataset-import-job/i${index}`, "dataset/shop/ITEMS"),
      );
      await storeParents(database, many);
      expect(await database.$count(parents)).toBe(2500 + EDGES.length);
    });
  });

  test("the parents that a type can have in a target, and how many there are of the type", async () => {
    await database
      .insert(resources)
      .values([
        row("dataset/shop/USERS"),
        row("dataset/shop/GONE", { gone_at: later }),
        row("dataset/shop/ELSEWHERE", { region: "eu-west-1" }),
        row("dataset-import-job/second"),
        row("dataset-import-job/gone", { gone_at: later }),
      ]);
    expect(await listingOf(database, TARGET, "dataset-import-job")).toEqual({
      parents: [arn("dataset/shop/ITEMS"), arn("dataset/shop/USERS")],
      children: 2,
    });
    expect(await listingOf(database, { ...TARGET, region: "eu-central-1" }, "solution")).toEqual({
      parents: [],
      children: 0,
    });
  });

  test("the lineage of a thousand resources takes as many queries as the tree has levels", async () => {
    const many = Array.from({ length: 1000 }, (_, index) => row(`campaign/c${index}`));
    await database.insert(resources).values(many);
    await storeParents(
      database,
      many.map((_, index) => edge(`campaign/c${index}`, "solution/ranking/0a1b2c3d")),
    );
    let queries = 0;
    const counting = new Proxy(database, {
      get(target, member) {
        if (member === "select") queries += 1;
        const value: unknown = Reflect.get(target, member);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const rows = await rowsOf(many.map((one) => one.arn));
    const loaded = await loadLineage(counting, rows);
    expect(queries).toBe(4);
    for (const one of loaded.values()) expect(one.ancestors.map(({ name }) => name)).toEqual(VERSION);
    expect(loaded.size).toBe(1000);
  });
});
