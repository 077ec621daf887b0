import { type Aws, openAws } from "../../src/inventory/aws/session.ts";
import type { ApplyTiming } from "../../src/remediation/aws/apply.ts";
import type { Budgets } from "../../src/remediation/budget.ts";

export const ACTOR = "arn:aws:iam::111122223333:user/tester";

export const FAST: ApplyTiming = { verify_delays_ms: [0, 5, 20], lease_ms: 1500, heartbeat_ms: 50 };

export const BUDGETS: Budgets = {
  max_changes: 1000,
  max_changes_per_target: 500,
  max_changes_per_hour: 1_000_000,
  error_share: 0.2,
  error_minimum: 20,
  actions_at_once: 1,
  canary: { share: 0, least: 0 },
  quiet_hours: [],
};

/** As the configuration has it by default. */
export const ANYONE = { by: "anyone", hours: 168 } as const;

/** A connection that wastes no time. Where calls hang, a short time-out spares the wait for them. */
export function connect(endpoint: string, timeout_ms = 10_000, write = { start: 10_000, most: 10_000 }): Aws {
  return openAws({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    limits: {
      index: { burst: 10_000, per_second: 10_000 },
      list: { burst: 10_000, per_second: 10_000 },
      read: { start: 10_000, most: 10_000 },
      write,
    },
    patience_ms: 1500,
    timeout_ms,
  });
}
