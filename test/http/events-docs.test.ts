import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { KEY_HEADER } from "../../src/http/routes/events.ts";
import { changeEvent, EVENT_NAMES } from "../../src/inventory/change-event.ts";
import { PERSONALIZE } from "../../src/sandbox/personalize.ts";
import { deliveryOf } from "../support/cloudtrail.ts";

const text = readFileSync("docs/events.md", "utf8");
const blocks = (language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map((m) => m[1] ?? "");

type Pattern = { readonly [name: string]: Pattern | readonly (string | { exists: false })[] };
const pattern = JSON.parse(blocks("json")[0] ?? "") as Pattern;

/** What EventBridge does with such a pattern. Source: its user guide, "Creating event patterns". */
function matches(wanted: Pattern, event: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(wanted).every(([name, one]) => {
    const value = event[name];
    if (!Array.isArray(one)) return matches(one as Pattern, (value ?? {}) as Record<string, unknown>);
    return (one as unknown[]).some((word) => (typeof word === "string" ? word === value : value === undefined));
  });
}

const ARN = "arn:aws:personalize:us-east-1:111122223333:campaign/shop";

test("the rule lets through exactly the events that are handled", () => {
  const operations = [...PERSONALIZE.model.operations.keys()];
  expect(operations.length).toBeGreaterThan(60);
  for (const operation of operations) {
    for (const errorCode of [undefined, "AccessDenied"]) {
      const { errorCode: _, ...detail } = { ...deliveryOf(operation, ARN).detail, errorCode };
      const whole = {
        ...deliveryOf(operation, ARN),
        detail: errorCode === undefined ? detail : { ...detail, errorCode },
      };
      const handled = typeof changeEvent(whole) !== "string";
      expect([operation, errorCode, matches(pattern, whole)]).toEqual([operation, errorCode, handled]);
    }
  }
  for (const changes of [{ source: "aws.s3" }, { "detail-type": "Tag Change on Resource" }]) {
    const other = { ...deliveryOf("TagResource", ARN), ...changes };
    expect([matches(pattern, other), typeof changeEvent(other)]).toEqual([false, "string"]);
  }
  expect((pattern["detail"] as Pattern)["eventName"]).toEqual(EVENT_NAMES);
});

test("every template has that pattern, and sends the key in the header that is looked at", () => {
  type Template = { Resources: Record<string, { Type: string; Properties: Record<string, unknown> }> };
  const templates = blocks("yaml").map((block) => parse(block) as Template);
  const resources = templates.flatMap(({ Resources }) => Object.values(Resources));
  const rules = resources.filter(({ Type }) => Type === "AWS::Events::Rule");
  expect(rules).toHaveLength(2);
  for (const { Properties } of rules) expect(Properties["EventPattern"]).toEqual(pattern);
  const connection = resources.find(({ Type }) => Type === "AWS::Events::Connection");
  expect(connection?.Properties).toMatchObject({
    AuthParameters: { ApiKeyAuthParameters: { ApiKeyName: KEY_HEADER } },
  });
  expect(text).toContain(`ApiKeyName=${KEY_HEADER},`);
  expect(text).toContain(`-H "${KEY_HEADER}: `);
  for (const { Resources } of templates) {
    const named = [...JSON.stringify(Resources).matchAll(/"(?:Fn::GetAtt":\["|Ref":")(\w+)"/g)].map((m) => m[1] ?? "");
    const known = [
      ...Object.keys(Resources),
      ...Object.keys(
        (templates.find((t) => t.Resources === Resources) as unknown as { Parameters: object }).Parameters,
      ),
    ];
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  }
});
