import { setTimeout } from "node:timers/promises";
import { openPostgres } from "../../src/db/client.ts";
import { compilePolicies } from "../../src/policy/load.ts";
import { activeSet } from "../../src/policy/store.ts";
import { applyPlan } from "../../src/remediation/aws/apply.ts";
import { ACTOR, BUDGETS, connect, FAST } from "./world-settings.ts";

/** Applies a plan in a process of its own, 20 ms an action, and prints what came of it. */
const { URL: url = "", ENDPOINT = "", PLAN = "" } = process.env;
const { database, close } = await openPostgres(url);
const active = await activeSet(database);
if (!active) throw new Error("no policies are active");
const aws = connect(ENDPOINT);
const result = await applyPlan(
  {
    database,
    aws,
    set: compilePolicies(active.files),
    now: () => new Date("2026-03-01T02:00:00Z"),
    budgets: BUDGETS,
    timing: FAST,
    onStep: async (step) => {
      if (step === "ended") await setTimeout(20);
    },
  },
  PLAN,
  ACTOR,
);
process.stdout.write(JSON.stringify(result));
aws.close();
await close();
