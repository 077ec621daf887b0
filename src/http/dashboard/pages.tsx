import type { Context } from "hono";
import type { Child } from "hono/jsx";
import { Hono } from "hono";
import type { z } from "zod";
import type { HttpDeps } from "../deps.ts";
import { FindingsQuery, ResourcesQuery } from "../filters.ts";
import type { HttpEnv } from "../guard.ts";
import { exactly, pageParameters } from "../params.ts";
import { fromZodError, PROBLEMS, ProblemError } from "../problem.ts";
import { whyPaused } from "../../remediation/db/pauses.ts";
import { heldDecisions, waitingOf } from "../../reports/db/held.ts";
import {
  firstScanUnits,
  INCOMPLETE_STATES,
  scanExists,
  scanUnitsPage,
  unitsByState,
  workersOf,
} from "../../reports/db/scan-lists.ts";
import { trend } from "../../reports/db/trend.ts";
import { addDays } from "../../reports/trend.ts";
import { latestScan, scan, scansPage } from "../../reports/db/scans.ts";
import {
  basis,
  breakdown,
  compliance,
  finding,
  findingHistory,
  findingsPage,
  openBySeverity,
  resource,
  resourcesPage,
  rules,
  units,
} from "../../reports/store.ts";
import { nothingHeld } from "../routes/held.ts";
import { FindingPage } from "./finding.tsx";
import { Findings } from "./findings.tsx";
import { readDecision } from "./held.tsx";
import { ErrorPage, type Frame, Layout } from "./layout.tsx";
import { link } from "./links.ts";
import { Overview } from "./overview.tsx";
import { RepairAdvice } from "./repair-advice.ts";
import { ResourcePage } from "./resource.tsx";
import { Resources } from "./resources.tsx";
import { MATRIX_ROWS, ScanPage, Scans } from "./scans.tsx";
import { STYLES, STYLES_PATH } from "./styles.ts";

type C = Context<HttpEnv>;
type Section = Parameters<typeof Layout>[0]["section"];

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** The pages. Each asks the same functions as the API, so their numbers are the same. */
export function dashboard(deps: HttpDeps) {
  const { database, now } = deps;
  const names = deps.account_names ?? new Map<string, string>();
  const repairAdvice = new RepairAdvice();
  const page = (c: C, section: Section, title: string, content: Child) =>
    html(
      c,
      <Layout frame={frameOf(deps)} title={title} section={section}>
        {content}
      </Layout>,
    );

  return new Hono<HttpEnv>()
    .get(STYLES_PATH, (c) =>
      c.body(STYLES, 200, {
        "Content-Type": "text/css; charset=utf-8",
        "Cache-Control": "public, max-age=31536000, immutable",
      }),
    )
    .get("/", async (c) => {
      readQuery(c, exactly({}));
      const active = (await scansPage(database, { state: ["running", "queued"] }, { page_size: 1 })).items[0] ?? null;
      const today = now().toISOString().slice(0, 10);
      const data = {
        compliance: await compliance(database),
        basis: await basis(database),
        severities: await openBySeverity(database),
        by_type: await breakdown(database, "type"),
        by_account: await breakdown(database, "account_id"),
        by_key: await breakdown(database, "key"),
        rules: await rules(database),
        latest: await latestScan(database),
        trend: (await trend(database, { interval: "day", from: addDays(today, -89), to: today })).rows,
        active,
        incomplete: (await units(database)).filter(
          (unit) => unit.freshness !== "complete" && !(active !== null && unit.attempted_at === null),
        ),
        names,
        now: deps.now(),
        paused: await whyPaused(database),
      };
      if (data.basis.newest_listed_at === null && active !== null) c.header("Refresh", "3");
      return page(c, "overview", "Overview", <Overview data={data} />);
    })
    .get("/findings", async (c) => {
      const { page_size, page_token, ...given } = readQuery(c, FindingsQuery);
      const { sort, ...filters } = given;
      const found = await findingsPage(database, filters, { page_size, page_token, sort });
      const first = page_token === undefined;
      const content = (
        <Findings
          page={found}
          filters={given}
          query={{ ...given, page_size }}
          first={first}
          names={names}
          now={deps.now()}
        />
      );
      return page(c, "findings", "Findings", content);
    })
    .get("/findings/:id", async (c) => {
      readQuery(c, exactly({}));
      const found = await finding(database, c.req.param("id"));
      if (found === null) throw new ProblemError("not-found", "There is no finding with this id.");
      const [events, of] = [await findingHistory(database, found.id), await resource(database, found.arn)];
      const advice = of === null ? null : (await repairAdvice.load(database, of, now()))(found);
      return page(
        c,
        "findings",
        found.detail.message,
        <FindingPage finding={found} events={events} advice={advice} names={names} now={deps.now()} />,
      );
    })
    .get("/resources", async (c) => {
      const { page_size, page_token, ...filters } = readQuery(c, ResourcesQuery);
      const found = await resourcesPage(database, filters, { page_size, page_token });
      const first = page_token === undefined;
      const content = (
        <Resources
          page={found}
          filters={filters}
          query={{ ...filters, page_size }}
          first={first}
          names={names}
          now={deps.now()}
        />
      );
      return page(c, "resources", "Resources", content);
    })
    .get("/resource", async (c) => {
      const found = await resource(database, c.req.query("arn") ?? "");
      if (found === null) throw new ProblemError("not-found", "There is no live resource with this ARN.");
      const advice = await repairAdvice.load(database, found, now());
      const content = <ResourcePage resource={found} advice={advice} names={names} now={deps.now()} />;
      return page(c, "resources", found.name, content);
    })
    .get("/scans", async (c) => {
      const { page_size, page_token } = readQuery(c, exactly(pageParameters));
      const found = await scansPage(database, {}, { page_size, page_token });
      return page(
        c,
        "scans",
        "Scans",
        <Scans page={found} query={{ page_size }} first={page_token === undefined} now={deps.now()} />,
      );
    })
    .post("/scans", async (c) => {
      const form = await c.req.parseBody();
      const { scan_id } = await deps.requestScan(form["confirm"] === "all" ? { confirm: "all" } : {}, "dashboard");
      return c.redirect(link.scan(scan_id, { live: "1" }), 303);
    })
    .get("/scans/:id", async (c) => {
      const id = c.req.param("id");
      const found = UUID.test(id) ? await scan(database, id) : null;
      if (found === null) throw new ProblemError("not-found", "There is no scan with this id.");
      const live = c.req.query("live") === "1" && (found.state === "queued" || found.state === "running");
      if (live) c.header("Refresh", "2");
      const content = (
        <ScanPage
          scan={found}
          units={await firstScanUnits(database, id, MATRIX_ROWS * found.types.length)}
          units_by_state={await unitsByState(database, id)}
          incomplete={await scanUnitsPage(database, id, { state: INCOMPLETE_STATES }, { page_size: 100 })}
          workers={await workersOf(database, id)}
          names={names}
          now={deps.now()}
          live={live}
          waiting={await waitingOf(database, id)}
          decisions={await heldDecisions(database, id)}
        />
      );
      return page(c, "scans", "Scan", content);
    })
    .post("/scans/:id/cancel", async (c) => {
      const id = c.req.param("id");
      if (!UUID.test(id) || !(await scanExists(database, id)))
        throw new ProblemError("not-found", "There is no scan with this id.");
      // That it had ended meanwhile, its page says.
      await deps.cancelScan(id, "dashboard");
      return c.redirect(link.scan(id, { live: "1" }), 303);
    })
    .post("/scans/:id/held", async (c) => {
      const id = c.req.param("id");
      if (!UUID.test(id) || (await scan(database, id)) === null)
        throw new ProblemError("not-found", "There is no scan with this id.");
      const { decide, by } = readDecision(await c.req.parseBody(), now());
      if ((await decide(database, id, by)).units === 0) throw nothingHeld();
      return c.redirect(link.scan(id), 303);
    });
}

/** A page that says what went wrong, with the id under which the log has it. */
export function errorPage(deps: HttpDeps, c: C, problem: ProblemError): Response | Promise<Response> {
  const { status, title } = PROBLEMS[problem.problem];
  c.status(status);
  return html(
    c,
    <ErrorPage frame={frameOf(deps)} status={status} title={title} detail={problem.message} id={c.get("request_id")} />,
  );
}

function frameOf({ sandbox, version, policies }: HttpDeps): Frame {
  const { problem } = policies();
  return { sandbox, version, policy_problems: problem === null ? [] : problem.split("\n") };
}

async function html(c: C, content: Child): Promise<Response> {
  c.header("Cache-Control", "private, no-cache");
  return c.html(`<!doctype html>${await (content as { toString(): string | Promise<string> }).toString()}`);
}

/** The query of a page. A form sends its empty fields too: those mean nothing. */
function readQuery<Shape extends z.ZodRawShape>(c: C, schema: z.ZodObject<Shape>): z.infer<z.ZodObject<Shape>> {
  const given: Record<string, string | string[]> = {};
  for (const [name, values] of Object.entries(c.req.queries())) {
    const filled = values.filter((value) => value !== "");
    const [only] = filled;
    if (only !== undefined) given[name] = filled.length === 1 ? only : filled;
  }
  const result = schema.safeParse(given);
  if (!result.success) throw fromZodError(result.error, "query");
  return result.data;
}
