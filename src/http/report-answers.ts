import { createMiddleware } from "hono/factory";
import { matchedRoutes } from "hono/route";
import type { AnsweredRequest } from "./deps.ts";
import type { HttpEnv } from "./guard.ts";

/** Tells of every request, once its answer begins, which route it took and how long that was. */
export function reportAnswers(onAnswer: (request: AnsweredRequest) => void) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const begun_at = performance.now();
    await next();
    const seconds = (performance.now() - begun_at) / 1000;
    // What ends in a star is for all paths below it: nothing of its own answers there.
    const route = matchedRoutes(c).findLast(({ path }) => !path.endsWith("*"))?.path ?? "other";
    onAnswer({ method: c.req.method, route, status: c.res.status, seconds });
  });
}
