import type { OpenAPIHono } from "@hono/zod-openapi";
import type { HttpEnv } from "./guard.ts";

/** The description of the API, OpenAPI 3.1. A copy is committed as docs/openapi.json, so that a change of the API is seen in review. */
export function openApiDocument(app: OpenAPIHono<HttpEnv>) {
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Tagwarden",
      version: "1",
      description:
        "Findings, resources, scans, exemptions, plans of repairs and compliance of the tags of Amazon Personalize. There is no authentication but for events: whoever reaches the port can read everything, start scans, exempt findings, and make and approve plans of repairs.",
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    servers: [{ url: "/" }],
  });
}
