import { createRoute, z } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import { createHash, timingSafeEqual } from "node:crypto";
import { changeEvent } from "../../inventory/change-event.ts";
import type { EventsDeps, HttpDeps } from "../deps.ts";
import type { HttpEnv } from "../guard.ts";
import { ProblemError } from "../problem.ts";
import { apiRouter } from "../router.ts";
import { changeProblems, commonProblems, notFound, problem } from "../schemas.ts";

/** Header in which a delivery brings its key: the name that an EventBridge connection is given. */
export const KEY_HEADER = "x-api-key";

/** What EventBridge sends, as far as it is looked at. Other members may come. */
const Delivery = z
  .looseObject({
    id: z.string().regex(/^[\x21-\x7e]{1,128}$/, "is not the id of an event"),
    "detail-type": z.string(),
    source: z.string(),
    account: z.string().regex(/^\d{12}$/, "an account id has twelve digits"),
    time: z.iso.datetime({ offset: true, error: "is no instant" }).refine(isOfOurTime, "is no instant of these years"),
    region: z.string().regex(/^[a-z0-9-]{1,64}$/, "is not a region"),
    detail: z.record(z.string(), z.unknown()).openapi({ description: "The record of CloudTrail" }),
  })
  .openapi("EventDelivery");

const Receipt = z
  .strictObject({
    accepted: z.boolean().openapi({ description: "Its resource is looked at again" }),
    deduplicated: z.boolean().openapi({ description: "The same event came before" }),
    reason: z.string().nullable().openapi({ description: "Why nothing is done about it" }),
  })
  .openapi("EventReceipt");

/** Events of EventBridge: answered once they are kept; what follows from them happens after that. */
export function eventRoutes({ events }: HttpDeps) {
  const router = apiRouter();
  router.openAPIRegistry.registerComponent("securitySchemes", "eventsKey", {
    type: "apiKey",
    in: "header",
    name: KEY_HEADER,
    description: "TAGWARDEN_EVENTS_KEY",
  });
  const { receive, middleware } = guarded(events);
  return router.openapi(
    createRoute({
      method: "post",
      path: "/events",
      operationId: "receiveEvent",
      tags: ["events"],
      summary: "Take an event of EventBridge: a resource was made, deleted, tagged or untagged",
      security: [{ eventsKey: [] }],
      middleware,
      request: { body: { required: true, content: { "application/json": { schema: Delivery } } } },
      responses: {
        202: {
          description: "It is kept, or of no interest",
          content: { "application/json": { schema: Receipt } },
        },
        ...commonProblems,
        ...changeProblems,
        ...notFound,
        401: problem("The key is missing or wrong"),
      },
    }),
    async (c) => {
      const event = changeEvent(c.req.valid("json"));
      if (typeof event === "string") return c.json({ accepted: false, deduplicated: false, reason: event }, 202);
      const { accepted, deduplicated, reason } = await receive(event);
      return c.json({ accepted, deduplicated, reason }, 202);
    },
  );
}

/** The way in for whoever has a key. Without any key set there is none, and it says so: that is no secret. */
function guarded(events: EventsDeps | null) {
  const off = () => {
    throw new ProblemError("not-found", "Events are not taken here: TAGWARDEN_EVENTS_KEY is not set.");
  };
  const keys = events?.keys.map(digest) ?? [];
  const middleware = createMiddleware<HttpEnv>(async (c, next) => {
    if (events === null) off();
    const given = digest(c.req.header(KEY_HEADER) ?? "");
    // All are compared, each in the same time, so that an answer's delay says nothing.
    if (keys.filter((key) => timingSafeEqual(key, given)).length === 0)
      throw new ProblemError("unauthenticated", `Send a key in the header ${KEY_HEADER}.`);
    await next();
  });
  return { middleware, receive: events?.receive ?? off };
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

/** A time from which days can be counted, and that every database takes. */
function isOfOurTime(text: string): boolean {
  const year = new Date(text).getUTCFullYear();
  return year >= 2000 && year < 2200;
}
