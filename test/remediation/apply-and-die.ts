import { openPostgres } from "../../src/db/client.ts";
import { compilePolicies } from "../../src/policy/load.ts";
import { activeSet } from "../../src/policy/store.ts";
import { applyPlan } from "../../src/remediation/aws/apply.ts";
import { ACTOR, BUDGETS, connect, FAST } from "./world-settings.ts";

/** Applies a plan, and dies by kill -9 at a step: what no tidying up can mend. */
const { URL: url = "", ENDPOINT = "", PLAN = "", STEP = "" } = process.env;
const { database } = await openPostgres(url);
const active = await activeSet(database);
if (!active) throw new Error("no policies are active");
await applyPlan(
  {
    database,
    aws: connect(ENDPOINT),
    set: compilePolicies(active.files),
    now: () => new Date("2026-03-01T02:00:00Z"),
    budgets: BUDGETS,
    timing: FAST,
    onStep: (step) => {
      if (step === STEP) process.kill(process.pid, "SIGKILL");
    },
  },
  PLAN,
  ACTOR,
);
