import { OpenAPIHono } from "@hono/zod-openapi";
import type { HttpEnv } from "./guard.ts";
import { fromZodError } from "./problem.ts";

/** A router of the API: what does not fit a route's schema is a problem. */
export function apiRouter(): OpenAPIHono<HttpEnv> {
  return new OpenAPIHono<HttpEnv>({
    defaultHook: (result) => {
      if (!result.success) throw fromZodError(result.error, result.target);
    },
  });
}
