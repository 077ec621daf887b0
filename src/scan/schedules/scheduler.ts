import { reasonOf } from "../../db/reason.ts";
import { log } from "../../log.ts";
import { tick, type TickDeps } from "./tick.ts";

/** How often a replica looks for slots. Milliseconds. */
const TICK_MS = 5000;

/**
 * Looks for slots now and every few seconds, never twice at a time. The timer does not follow this machine's clock, so it goes on when
 * that is set; which slots are due is asked of the database's. Returns what stops it; a scan under way is not touched.
 */
export function startScheduler(deps: TickDeps, tick_ms: number = TICK_MS): () => Promise<void> {
  let under_way: Promise<void> | null = null;
  const look = () => {
    under_way ??= tick(deps)
      .catch((error: unknown) => log.warn({ error: reasonOf(error) }, "schedules could not be looked at"))
      .finally(() => {
        under_way = null;
      });
  };
  look();
  const timer = setInterval(look, tick_ms);
  return async () => {
    clearInterval(timer);
    await under_way;
  };
}
