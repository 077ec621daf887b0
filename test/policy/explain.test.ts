import { describe, expect, test } from "vitest";
import { explain } from "../../src/policy/explain.ts";
import type { PolicySet } from "../../src/policy/load.ts";
import { maskExplanation } from "../../src/reports/explain-mask.ts";
import { formatExplanation } from "../../src/reports/explain-text.ts";
import type { Tags } from "../../src/tags/tags.ts";
import { around, policy, resource, subject } from "./build.ts";

const RULE = "{id: r, key: K, required: true, values: [prod, dev], fix: {missing: {value: dev}}}";

/** The lines of the explanation of a campaign with these tags, from the first rule on. */
function explained(set: PolicySet, tags: Tags, on = resource()): string[] {
  const asked = subject(tags, on, around([], { name: "retail", tags: {} }));
  const shown = maskExplanation({ tags, rules: explain(set, asked) }, (key) => key === "Secret");
  const text = formatExplanation(asked.resource, shown, { color: false, width: 200 });
  return text.trimEnd().split("\n").slice(4);
}

describe("an explanation of a resource", () => {
  test("says of each rule what it saw, expected and found, and what a repair would write", () => {
    expect(explained(policy([RULE]), {})).toEqual([
      "p/r  missing  medium",
      "  saw       (none)",
      "  expected  required: one of prod, dev",
      "  why       `K` is missing.",
      "  fix       write K=dev",
    ]);
  });

  test("names the value that was probably meant", () => {
    expect(explained(policy([RULE]), { K: "Prod" })).toContain("  meant     Prod → prod");
  });

  test("masks the values of sensitive keys", () => {
    const set = policy(["{id: r, key: Secret, required: true, sensitive: true, values: [hidden]}"]);
    expect(explained(set, { Secret: "s3cret" }).join("\n")).not.toMatch(/s3cret/);
  });

  test("says why a policy is not about it", () => {
    const set = policy([RULE], ["applies_to: {types: [filter]}"]);
    expect(explained(set, {})).toEqual([
      "Not about this resource:",
      "  p/r: `applies_to.types` is filter, and the resource has campaign",
    ]);
  });

  test.each<[Tags, string]>([
    [{ ManagedBy: "cdk" }, "policy p says that it is managed elsewhere ('ManagedBy' in tags)"],
    [
      { "aws:cloudformation:stack-name": "shop" },
      "CloudFormation stack shop manages it: change the tags in its template",
    ],
  ])("says that a repair would be blocked, and why: %j", (tags, why) => {
    const lines = explained(policy([RULE], [`managed: "'ManagedBy' in tags"`]), tags);
    expect(lines).toContain("  fix       write K=dev");
    expect(lines.find((line) => line.startsWith("  blocked"))).toContain(why);
  });

  test("says nothing of what blocks a repair where there is none", () => {
    const set = policy(["{id: r, key: K, required: true}"], [`managed: "'ManagedBy' in tags"`]);
    expect(explained(set, { ManagedBy: "cdk" }).join("\n")).not.toContain("blocked");
  });
});
