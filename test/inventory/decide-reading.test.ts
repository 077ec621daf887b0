import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decideReading, type IndexAnswer, refreshAge } from "../../src/inventory/decide-reading.ts";
import type { Resource, StoredReading } from "../../src/inventory/resource.ts";
import { tagsEqual, tagsFrom, type Tags, userTags } from "../../src/tags/tags.ts";

const now = new Date("2026-05-04T10:00:00Z");
const ago = (milliseconds: number) => new Date(now.getTime() - milliseconds);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const resource = (more: Partial<Resource> = {}): Resource => ({
  arn: "arn:aws:personalize:us-east-1:111122223333:campaign/c",
  account_id: "111122223333",
  region: "us-east-1",
  type: "campaign",
  name: "c",
  status: "ACTIVE",
  created_at: ago(30 * DAY),
  updated_at: ago(30 * DAY),
  summary: {},
  ...more,
});

const stored = (more: Partial<StoredReading> = {}): StoredReading => ({
  tags: { Owner: "a@example.com" },
  source: "service",
  service_read_at: ago(DAY),
  in_index: true,
  created_at: ago(30 * DAY),
  reading_error: null,
  ...more,
});

const tags = (given: Tags): IndexAnswer => ({ answer: "tags", tags: given });
const absent: IndexAnswer = { answer: "absent" };
const unavailable: IndexAnswer = { answer: "unavailable" };
const same = tags({ Owner: "a@example.com" });
const other = tags({ Owner: "b@example.com" });

type Case = { index: IndexAnswer; stored?: StoredReading; resource?: Resource };
const decide = (given: Case) => decideReading({ resource: resource(), stored: undefined, ...given, now });

describe("whose word is taken for a resource's tags", () => {
  test.each<[string, Case, ReturnType<typeof decideReading>]>([
    ["the index repeats what is stored", { index: same, stored: stored() }, "take-index"],
    ["the index says something else", { index: other, stored: stored() }, "ask-service"],
    ["the index says there are none left", { index: tags({}), stored: stored() }, "ask-service"],
    ["the index has one more", { index: tags({ Owner: "a@example.com", Team: "x" }), stored: stored() }, "ask-service"],
    ["the index says none, and none are stored", { index: tags({}), stored: stored({ tags: {} }) }, "take-index"],
    [
      "the index shows an aws: tag more, which no rule judges",
      { index: tags({ Owner: "a@example.com", "aws:cloudformation:stack-name": "s" }), stored: stored() },
      "take-index",
    ],
    [
      "the last attempt to read had failed",
      { index: same, stored: stored({ reading_error: "ThrottlingException" }) },
      "ask-service",
    ],
    ["first seen, tagged, old", { index: same }, "take-index"],
    ["first seen, tagged, young", { index: same, resource: resource({ created_at: ago(HOUR / 2) }) }, "ask-service"],
    [
      "first seen, tagged, just an hour old",
      { index: same, resource: resource({ created_at: ago(HOUR) }) },
      "ask-service",
    ],
    ["first seen, tagged, of unknown age", { index: same, resource: resource({ created_at: null }) }, "ask-service"],
    ["first seen, without tags", { index: tags({}) }, "ask-service"],
    ["first seen, not in the index", { index: absent }, "ask-service"],
    ["never tagged, read lately", { index: absent, stored: stored({ tags: {}, in_index: false }) }, "take-stored"],
    [
      "never tagged, read long ago",
      { index: absent, stored: stored({ tags: {}, in_index: false, service_read_at: ago(8 * DAY) }) },
      "ask-service",
    ],
    [
      "never tagged, read in a future that a wrong clock wrote",
      { index: absent, stored: stored({ tags: {}, in_index: false, service_read_at: ago(-30 * DAY) }) },
      "ask-service",
    ],
    [
      "tagged, of a type that the index does not cover, read lately",
      { index: absent, stored: stored({ in_index: false }) },
      "take-stored",
    ],
    ["fell out of the index with tags", { index: absent, stored: stored() }, "ask-service"],
    ["fell out of the index without tags", { index: absent, stored: stored({ tags: {} }) }, "take-stored"],
    [
      "known from the index alone, which has it no more",
      { index: absent, stored: stored({ service_read_at: null }) },
      "ask-service",
    ],
    [
      "not in the index, and the last attempt failed",
      { index: absent, stored: stored({ in_index: false, reading_error: "TimeoutError" }) },
      "ask-service",
    ],
    ["the index cannot be asked", { index: unavailable, stored: stored({ in_index: false }) }, "ask-service"],
    [
      "being deleted",
      { index: absent, stored: stored(), resource: resource({ status: "DELETE IN_PROGRESS" }) },
      "take-stored",
    ],
    [
      "being deleted, spelled otherwise",
      { index: other, stored: stored(), resource: resource({ status: "DELETE_PENDING" }) },
      "take-stored",
    ],
    ["being deleted, never read", { index: absent, resource: resource({ status: "DELETE PENDING" }) }, "ask-service"],
    [
      "created anew under the old ARN, and the index still shows the old tags",
      { index: same, stored: stored(), resource: resource({ created_at: ago(60_000) }) },
      "ask-service",
    ],
    [
      "created anew under the old ARN, hours ago, and the index knows its tags: what was found on the old one may close",
      { index: other, stored: stored(), resource: resource({ created_at: ago(2 * HOUR) }) },
      "ask-service",
    ],
    [
      "created anew under the old ARN, not in the index",
      {
        index: absent,
        stored: stored({ tags: {}, in_index: false }),
        resource: resource({ created_at: ago(2 * HOUR) }),
      },
      "ask-service",
    ],
    [
      "a key that every object inherits",
      { index: tags(tagsFrom([["constructor", "x"]])), stored: stored({ tags: tagsFrom([["toString", "x"]]) }) },
      "ask-service",
    ],
  ])("%s", (_, given, decision) => {
    expect(decide(given)).toBe(decision);
  });
});

describe("laws", () => {
  const someTags = fc
    .dictionary(fc.constantFrom("Owner", "Team", "__proto__", "constructor", "aws:x"), fc.constantFrom("", "a", "b"), {
      maxKeys: 3,
    })
    .map((given) => tagsFrom(Object.entries(given)));
  const instant = fc.integer({ min: -10 * DAY, max: 40 * DAY }).map(ago);
  const anyStored = fc.option(
    fc.record({
      tags: someTags,
      source: fc.constantFrom("index" as const, "service" as const),
      service_read_at: fc.option(instant),
      in_index: fc.boolean(),
      created_at: fc.option(fc.constantFrom(ago(30 * DAY), ago(DAY))),
      reading_error: fc.option(fc.constant("TimeoutError")),
    }),
    { nil: undefined },
  );
  const anyResource = fc
    .record({
      created_at: fc.option(fc.constantFrom(ago(30 * DAY), ago(DAY), ago(60_000))),
      status: fc.constantFrom("ACTIVE", "DELETE PENDING"),
    })
    .map(resource);
  const anyIndex = fc.oneof(someTags.map(tags), fc.constant(absent), fc.constant(unavailable));
  const anything = fc.record({ resource: anyResource, stored: anyStored, index: anyIndex });

  test("an index answer that differs from a stored reading is never taken", () => {
    fc.assert(
      fc.property(anything, (given) => {
        if (decideReading({ ...given, now }) !== "take-index") return;
        if (given.index.answer !== "tags") throw new Error("there was nothing to take");
        const { stored } = given;
        const sameResource =
          stored?.created_at && given.resource.created_at ? +stored.created_at === +given.resource.created_at : true;
        if (stored) {
          expect(sameResource).toBe(true);
          expect(tagsEqual(userTags(stored.tags), userTags(given.index.tags))).toBe(true);
        } else expect(Object.keys(given.index.tags).length).toBeGreaterThan(0);
      }),
      { numRuns: 2000 },
    );
  });

  test("nothing is taken that is not there, and nothing after an error", () => {
    fc.assert(
      fc.property(anything, (given) => {
        const decision = decideReading({ ...given, now });
        if (given.index.answer === "unavailable") expect(decision).toBe("ask-service");
        if (decision === "take-stored") {
          expect(given.stored?.reading_error).toBeNull();
        }
        if (decision === "take-index") expect(given.index.answer).toBe("tags");
      }),
      { numRuns: 2000 },
    );
  });

  test("a service reading stands for 3 to 7 days, spread evenly over the resources", () => {
    const ages = Array.from({ length: 4000 }, (_, index) =>
      refreshAge(`arn:aws:personalize:us-east-1:111122223333:campaign/c-${index}`),
    );
    expect(Math.min(...ages)).toBeGreaterThanOrEqual(3 * DAY);
    expect(Math.max(...ages)).toBeLessThan(7 * DAY);
    for (let day = 3; day < 7; day++) {
      const share = ages.filter((age) => age >= day * DAY && age < (day + 1) * DAY).length / ages.length;
      expect(share).toBeGreaterThan(0.2);
      expect(share).toBeLessThan(0.3);
    }
  });
});
