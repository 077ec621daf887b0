import * as fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { OpenDatabase } from "../../src/db/client.ts";
import type { EventsDeps } from "../../src/http/deps.ts";
import * as schemas from "../../src/http/schemas.ts";
import { units } from "../../src/inventory/schema.ts";
import { receiveEvent } from "../../src/scan/event-store.ts";
import { openQueue, type Queue } from "../../src/scan/queue.ts";
import { event_deliveries } from "../../src/scan/schema.ts";
import { deliveryOf } from "../support/cloudtrail.ts";
import { describeOnBoth, emptyTables, openTestDatabase } from "../support/database.ts";
import { NO_DATABASE, openApp } from "./open-app.ts";

const KEYS = ["old-key-0123456789abcdef", "new-key-0123456789abcdef"];
const ARN = "arn:aws:personalize:us-east-1:111122223333:campaign/shop";
const TAGGED = deliveryOf("TagResource", ARN, { id: "c0ffee00-0000-4000-8000-000000000001" });

type Options = { key?: string | null; body?: string; headers?: Record<string, string> };

/** What EventBridge sends. */
function request({ key = KEYS[0]!, body = JSON.stringify(TAGGED), headers = {} }: Options = {}): RequestInit {
  return {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json; charset=utf-8",
      "user-agent": "Amazon/EventBridge/ApiDestinations",
      "content-length": String(body.length),
      ...(key !== null && { "x-api-key": key }),
      ...headers,
    },
  };
}

describe("who may deliver events", () => {
  const received: unknown[] = [];
  const receive: EventsDeps["receive"] = async (event) => {
    received.push(event);
    return { accepted: true, deduplicated: false, reason: null };
  };
  const { app } = openApp(NO_DATABASE, { events: { keys: KEYS, receive } });
  beforeEach(() => void received.splice(0));

  test.each(KEYS)("whoever brings a key that is set; two are, while it is changed: %s", async (key) => {
    const response = await app.request("/api/v1/events", request({ key }));
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({ accepted: true, deduplicated: false, reason: null });
    expect(received).toMatchObject([{ id: TAGGED.id, arn: ARN }]);
  });

  test.each([null, "", "wrong", KEYS.join(","), `${KEYS[0]}x`, KEYS[0]!.slice(1), KEYS[0]!.toUpperCase()])(
    "nobody else, and nothing of the body is looked at: %s",
    async (key) => {
      for (const body of ["{", JSON.stringify(TAGGED)]) {
        const response = await app.request("/api/v1/events", request({ key, body }));
        expect(response.status).toBe(401);
        const problem = schemas.Problem.parse(await response.json());
        expect(problem).toMatchObject({
          type: "/problems/unauthenticated",
          detail: "Send a key in the header x-api-key.",
        });
      }
      expect(received).toEqual([]);
    },
  );

  test("without a key in the environment there is no way in, whatever is sent", async () => {
    for (const key of [null, "", KEYS[0]!]) {
      const response = await openApp(NO_DATABASE).app.request("/api/v1/events", request({ key }));
      expect(response.status).toBe(404);
      expect((await response.json()) as object).toMatchObject({
        type: "/problems/not-found",
        detail: "Events are not taken here: TAGWARDEN_EVENTS_KEY is not set.",
      });
    }
  });

  test("a page of another site may not, even with the key", async () => {
    const headers = { "sec-fetch-site": "cross-site", origin: "https://example.com" };
    expect((await app.request("/api/v1/events", request({ headers }))).status).toBe(403);
    expect(received).toEqual([]);
  });

  test("what is of no interest is taken with thanks, and not kept", async () => {
    const body = JSON.stringify(deliveryOf("UpdateCampaign", ARN));
    const response = await app.request("/api/v1/events", request({ body }));
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({
      accepted: false,
      deduplicated: false,
      reason: "the call changes no tags, and makes or deletes no resource that can have tags",
    });
    expect(received).toEqual([]);
  });

  test.each([
    ["no JSON", "{"],
    ["no body", ""],
    ["a list", "[]"],
    ["null", "null"],
    ["no id", JSON.stringify({ ...TAGGED, id: undefined })],
    ["an id that no database keeps", JSON.stringify({ ...TAGGED, id: "a\0" })],
    ["an account that is none", JSON.stringify({ ...TAGGED, account: 111122223333 })],
    ["a time that is none", JSON.stringify({ ...TAGGED, time: "yesterday" })],
    ["a time before time", JSON.stringify({ ...TAGGED, time: "0000-01-01T00:00:00Z" })],
    ["a detail that is none", JSON.stringify({ ...TAGGED, detail: "x" })],
    ["depth without end", `{"detail":${"[".repeat(100_000)}`],
  ])("what is no event is refused: %s", async (_, body) => {
    const response = await app.request("/api/v1/events", request({ body }));
    expect(response.status).toBe(400);
    expect(schemas.Problem.parse(await response.json()).type).toBe("/problems/validation-failed");
    expect(received).toEqual([]);
  });

  test("a body beyond 1 MB, or of another kind, is refused", async () => {
    const body = JSON.stringify({ ...TAGGED, detail: { x: "x".repeat(1_000_000) } });
    expect((await app.request("/api/v1/events", request({ body }))).status).toBe(413);
    const headers = { "content-type": "text/plain" };
    expect((await app.request("/api/v1/events", request({ headers }))).status).toBe(415);
  });
});

describeOnBoth("events that are received on %s", (kind) => {
  let opened: OpenDatabase;
  let queue: Queue;
  let app: ReturnType<typeof openApp>["app"];
  beforeAll(async () => {
    opened = await openTestDatabase(kind);
    queue = await openQueue(opened);
    const receive: EventsDeps["receive"] = (event) => receiveEvent(opened.database, queue, event, new Date());
    app = openApp(opened.database, { events: { keys: KEYS, receive } }).app;
  });
  beforeEach(async () => {
    await emptyTables(opened.database);
    const unit = { partition: "aws", account_id: "111122223333", region: "us-east-1", type: "campaign" } as const;
    await opened.database.insert(units).values(unit);
  });
  afterAll(async () => {
    await queue.stop(1000);
    await opened.close();
  });

  const post = async (body: unknown) => app.request("/api/v1/events", request({ body: JSON.stringify(body) }));

  test("are kept once, whoever delivers them how often, and have one job for their resource", async () => {
    await opened.database.execute("delete from pgboss.job");
    const others = Array.from({ length: 20 }, () => deliveryOf("UntagResource", ARN));
    const answers = await Promise.all([TAGGED, TAGGED, TAGGED, ...others].map(post));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    const rows = await opened.database.select().from(event_deliveries);
    expect(rows).toHaveLength(21);
    expect(rows.find(({ id }) => id === TAGGED.id)).toMatchObject({
      state: "received",
      event_name: "TagResource",
      arn: ARN,
      attempts: 0,
      reason: null,
      event_time: new Date(TAGGED.time),
    });
    const jobs = await opened.database.execute("select data from pgboss.job where name = 'event-resource'");
    expect(JSON.stringify(jobs)).toContain(JSON.stringify([{ data: { arn: ARN } }]));
  });

  test("may hold anything, and are never an error of ours", async () => {
    const anything = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(...Object.values(TAGGED).map((value) => value as unknown), ARN, `${ARN}\0`, "\ud800", ""),
    );
    const mutated = fc.record(
      {
        id: fc.oneof(fc.uuid(), fc.string({ unit: "binary" })),
        account: fc.oneof(fc.constant("111122223333"), anything),
        region: fc.oneof(fc.constant("us-east-1"), anything),
        time: fc.oneof(fc.constant(TAGGED.time), fc.date().map(String), anything),
        detail: fc.oneof(
          fc.record(
            {
              ...Object.fromEntries(Object.entries(TAGGED.detail).map(([name, value]) => [name, fc.constant(value)])),
              requestParameters: fc.oneof(
                fc.record({
                  resourceArn: fc.oneof(
                    fc.string({ unit: "binary" }).map((s) => ARN + s),
                    anything,
                  ),
                }),
                anything,
              ),
              userIdentity: fc.oneof(fc.record({ arn: fc.string({ unit: "binary" }) }), anything),
            },
            { requiredKeys: [] },
          ),
          anything,
        ),
      },
      { requiredKeys: [] },
    );
    const body = fc.oneof(
      fc.record({ changes: mutated }).map(({ changes }) => JSON.stringify({ ...TAGGED, ...changes })),
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc.string(),
    );
    await fc.assert(
      fc.asyncProperty(body, async (text) => {
        const response = await app.request(
          "/api/v1/events",
          request({ body: text, headers: { "content-length": "1" } }),
        );
        expect([202, 400]).toContain(response.status);
      }),
      { numRuns: 500 },
    );
  });
});
