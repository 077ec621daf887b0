import type { Context } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { log } from "../log.ts";
import { dashboard, errorPage } from "./dashboard/pages.tsx";
import type { HttpDeps } from "./deps.ts";
import { reportAnswers } from "./report-answers.ts";
import { crossSiteCheck, type HttpEnv, hostCheck, jsonOnly, limitBody, requestId, securityHeaders } from "./guard.ts";
import { openApiDocument } from "./openapi.ts";
import { ProblemError, problemOf, problemResponse } from "./problem.ts";
import { apiRouter } from "./router.ts";
import { auditRoutes } from "./routes/audit.ts";
import { complianceRoutes } from "./routes/compliance.ts";
import { eventRoutes } from "./routes/events.ts";
import { exemptionRoutes } from "./routes/exemptions.ts";
import { fightRoutes } from "./routes/fights.ts";
import { findingRoutes } from "./routes/findings.ts";
import { heldRoutes } from "./routes/held.ts";
import { healthRoutes } from "./routes/health.ts";
import { remediationRoutes } from "./routes/remediation.ts";
import { planDecisionRoutes } from "./routes/plan-decisions.ts";
import { planRoutes } from "./routes/plans.ts";
import { resourceRoutes } from "./routes/resources.ts";
import { scanRoutes } from "./routes/scans.ts";
import { scheduleRoutes } from "./routes/schedules.ts";
import { trendRoutes } from "./routes/trend.ts";

/** The API under /api/v1, health and the API's description beside it, and the dashboard on all other paths. */
export function createApp(deps: HttpDeps) {
  const app = apiRouter();
  if (deps.onAnswer !== undefined) app.use(reportAnswers(deps.onAnswer));
  app.use(requestId, securityHeaders, hostCheck, crossSiteCheck, limitBody);
  app.use("/api/*", jsonOnly, async (c, next) => {
    await next();
    c.header("Cache-Control", "private, no-cache");
  });
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => {
        const allow = methods.join(", ");
        c.header("Allow", allow);
        return problemResponse(
          c,
          new ProblemError("method-not-allowed", `Allowed here: ${allow}.`),
          c.get("request_id"),
        );
      },
    }),
  );

  app.route("/", healthRoutes(deps));
  for (const routes of [
    findingRoutes,
    resourceRoutes,
    scanRoutes,
    scheduleRoutes,
    heldRoutes,
    fightRoutes,
    exemptionRoutes,
    planRoutes,
    planDecisionRoutes,
    complianceRoutes,
    trendRoutes,
    eventRoutes,
    auditRoutes,
    remediationRoutes,
  ])
    app.route("/api/v1", routes(deps));
  app.get("/openapi.json", (c) => c.json(openApiDocument(app)));
  app.route("/", dashboard(deps));

  app.notFound((c) => answerProblem(deps, c, new ProblemError("not-found", "There is nothing at this address.")));
  app.onError((error, c) => {
    const problem = problemOf(error);
    if (
      problem.problem === "internal" ||
      problem.problem === "dependency-down" ||
      problem.problem === "query-timeout"
    ) {
      const { method, routePath: route } = c.req;
      log.error({ request_id: c.get("request_id"), method, route, error: forLog(error) }, "request failed");
    }
    return answerProblem(deps, c, problem);
  });
  return app;
}

/** The API answers with problem details, the pages with a page. */
function answerProblem(deps: HttpDeps, c: Context<HttpEnv>, problem: ProblemError): Response | Promise<Response> {
  const page = !/^\/(api|assets|livez|readyz|openapi\.json)(\/|$)/.test(c.req.path);
  return page ? errorPage(deps, c, problem) : problemResponse(c, problem, c.get("request_id"));
}

/** What the log may have of an error: drizzle puts the values of a query, which may be of tags, behind `params:`. */
function forLog(error: Error): { name: string; message: string; at: string[]; cause?: unknown } {
  const { name, message, stack = "", cause } = error;
  const at = stack
    .split("\n")
    .filter((line) => line.startsWith("    at "))
    .map((line) => line.trim());
  const said = message.split(/\bparams:/)[0]?.slice(0, 2_000) ?? "";
  return { name, message: said, at, ...(cause instanceof Error ? { cause: forLog(cause) } : {}) };
}
