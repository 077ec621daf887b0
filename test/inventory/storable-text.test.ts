import { sql } from "drizzle-orm";
import { assert, asyncProperty, string } from "fast-check";
import { expect, test } from "vitest";
import { toReadError } from "../../src/inventory/call-error.ts";
import { resourceFromSummary } from "../../src/inventory/resource-from-summary.ts";
import { storableText } from "../../src/inventory/storable-text.ts";
import { describeOnBoth, openTestDatabase } from "../support/database.ts";

const unit = { partition: "aws", account_id: "111122223333", region: "us-east-1", type: "campaign" } as const;

test("what a service should not send is kept readable, and an ordinary text as it is", () => {
  const campaignArn = "arn:aws:personalize:us-east-1:111122223333:campaign/shop";
  const resource = resourceFromSummary(unit, { campaignArn, name: "a\0b", status: "ACTIVE", failureReason: "\ud83d!" });
  expect(resource).toMatchObject({ name: "a\uFFFDb", status: "ACTIVE", summary: { failureReason: "\uFFFD!" } });
  expect(toReadError(new Error(`${"x".repeat(499)}😀`), "ListCampaigns").message.isWellFormed()).toBe(true);
  expect(storableText("Größe 😀 中文")).toBe("Größe 😀 中文");
});

describeOnBoth("on %s", (kind) => {
  test("any text can be stored and is read back the same", async () => {
    const { database, close } = await openTestDatabase(kind);
    await assert(
      asyncProperty(string({ unit: "binary" }), async (text) => {
        const storable = storableText(text);
        const value = JSON.stringify({ text: storable });
        const [row] = await database
          .select({ value: sql<{ text: string }>`${value}::text::jsonb` })
          .from(sql`(values (1)) as one`);
        expect(row?.value).toEqual({ text: storable });
      }),
      { numRuns: 100 },
    );
    await close();
  });
});
