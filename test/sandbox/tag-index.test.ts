import * as fc from "fast-check";
import { expect, it } from "vitest";
import { placeNew } from "../../src/sandbox/place-new.ts";
import { World } from "../../src/sandbox/world.ts";

const PLACE = { account_id: "111122223333", region: "us-east-1" };
const LAG = 1000;

type Step =
  | { kind: "wait"; ms: number }
  | { kind: "tag" | "create" | "delete"; which: number; tags: Record<string, string> };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 1500 }) }),
  fc.record({
    kind: fc.constantFrom("tag" as const, "create" as const, "delete" as const),
    which: fc.nat(3),
    tags: fc.constantFrom<Record<string, string>>({}, { a: "1" }, { a: "2", b: "3" }),
  }),
);

/** What the index would show without any lag: everything that exists and ever had a tag. */
function truth(world: World): Map<string, Record<string, string>> {
  const rows = world.target(PLACE).bucket("filter").rows();
  return new Map(rows.filter((row) => row.ever_tagged).map((row) => [row.arn, Object.fromEntries(row.tags)]));
}

function shown(world: World): Map<string, Record<string, string>> {
  const { index, bucket } = world.target(PLACE);
  const filters = index.arns().filter((arn) => arn.includes(":filter/"));
  return new Map(
    filters.flatMap((arn) => {
      const view = index.view(arn, bucket("filter").get(arn));
      return view ? [[arn, Object.fromEntries(view.tags)] as const] : [];
    }),
  );
}

it("shows at any time the world as it was one lag ago", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let time = 1_800_000_000_000;
      const world = new World({
        seed: 1,
        resources: 4,
        accounts: 0,
        suspended_accounts: 0,
        regions: ["us-east-1"],
        never_tagged_share: null,
        unindexed_types: [],
        index_lag_ms: LAG,
        now: () => new Date(time),
      });
      const history = [{ at: 0, truth: truth(world) }];
      for (const each of steps) {
        if (each.kind === "wait") time += each.ms;
        else {
          const arn = `arn:aws:personalize:us-east-1:111122223333:filter/f${each.which}`;
          const resource = world.find(arn);
          const tags = new Map(Object.entries(each.tags));
          if (each.kind === "create" && !resource)
            world.create(placeNew(world, PLACE, "filter", `f${each.which}`, tags));
          if (each.kind === "tag" && resource) world.setTags(resource, tags);
          if (each.kind === "delete" && resource) world.remove(resource);
          history.push({ at: time, truth: truth(world) });
        }
        const then = history.findLast(({ at }) => at <= time - LAG)!.truth;
        expect(shown(world)).toEqual(new Map([...then].toSorted(([a], [b]) => (a < b ? -1 : 1))));
      }
    }),
    { numRuns: 300 },
  );
});
