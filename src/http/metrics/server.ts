import { Hono } from "hono";
import { CannotBeginError } from "../../config.ts";
import { type HttpEnv, hostCheck, requestId } from "../guard.ts";
import { problemOf, problemResponse } from "../problem.ts";
import { type Health, healthRoutes } from "../routes/health.ts";
import { type HttpServer, serveApp } from "../server.ts";

/** What the listener of the metrics answers with. */
export type MetricsApp = Health & { readonly scrape: () => Promise<string> };

/** Text format of Prometheus. */
const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** The metrics at `/metrics`, and beside them whether the process lives and can work. */
export function createMetricsApp({ scrape, ready }: MetricsApp): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.use(requestId, hostCheck);
  app.get("/metrics", async (c) =>
    c.body(await scrape(), 200, { "Content-Type": CONTENT_TYPE, "Cache-Control": "no-store" }),
  );
  app.route("/", healthRoutes({ ready }));
  app.onError((error, c) => problemResponse(c, problemOf(error), c.get("request_id")));
  return app;
}

/** Listens for scrapers, on a port of its own: what may read metrics need not reach the API. Throws CannotBeginError when the port is taken. */
export async function serveMetrics(
  app: Hono<HttpEnv>,
  address: { readonly host: string; readonly port: number },
): Promise<HttpServer> {
  return serveApp(app, address).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EADDRINUSE") throw cause;
    throw new CannotBeginError(`Port ${address.port} is in use. Set METRICS_PORT to another one.`, { cause });
  });
}
