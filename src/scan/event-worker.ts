import { reasonOf } from "../db/reason.ts";
import { changesTagsOnly } from "../inventory/change-event.ts";
import { parseArn } from "../inventory/parse-arn.ts";
import type { ReadError } from "../inventory/resource.ts";
import { log } from "../log.ts";
import { wasVerifiedAt } from "../remediation/db/own-writes.ts";
import {
  deleteOldDeliveries,
  endDeliveries,
  type EventDelivery,
  giveBackDeliveries,
  OWN_WRITE,
  requeueDeliveries,
  takeDeliveries,
} from "./event-store.ts";
import { nameOpponents } from "./name-opponents.ts";
import { lookAgain, type LookDeps } from "./look-again.ts";
import type { Queue } from "./queue.ts";

/** What the work on events needs. */
export type EventWorkDeps = LookDeps & { readonly queue: Queue };

/** How often each process looks for deliveries whose job was lost. Milliseconds. */
const SWEEP_MS = 5000;

/** After so many looks that came to nothing, the resource is left to the next scan. */
const MOST_ATTEMPTS = 5;

/**
 * Looks again at the resources of which events told, as the queue brings them, in any number of processes. The rows of the deliveries say
 * what there is to do: a job that is lost is made again, and whoever dies with one leaves it to the others.
 */
export class EventWorker {
  readonly #deps: EventWorkDeps;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(deps: EventWorkDeps) {
    this.#deps = deps;
  }

  /** Begins to take resources. `alone`: no other process can have begun with any, so all that wait are taken up. */
  async start(alone: boolean): Promise<void> {
    const { database, queue } = this.#deps;
    if (alone) await requeueDeliveries(database, queue, true);
    await queue.workOnResources((arn) => this.#handle(arn));
    this.#timer = setInterval(() => void this.#sweep(), SWEEP_MS);
  }

  /** Begins nothing more, and gives back what is under way. The queue waits for that to be done. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort(new Error("the process stops"));
    await this.#sweeping;
  }

  /** One at a time; errors are logged, because the next time comes soon. */
  #sweep(): Promise<void> {
    const { database, queue, now } = this.#deps;
    this.#sweeping = this.#sweeping
      .then(async () => {
        if (this.#stopping.signal.aborted) return;
        await requeueDeliveries(database, queue);
        await deleteOldDeliveries(database, now());
      })
      .catch((error: unknown) => log.warn({ error: reasonOf(error) }, "events could not be looked after"));
    return this.#sweeping;
  }

  async #handle(arn: string): Promise<void> {
    const { signal } = this.#stopping;
    if (signal.aborted) return;
    let taken: readonly EventDelivery[] = [];
    try {
      taken = await takeDeliveries(this.#deps.database, arn);
      await handleDeliveries(this.#deps, arn, taken, signal);
    } catch (error) {
      // Nothing but the database fails here, or the process stops: another one goes on.
      if (!signal.aborted)
        log.error({ error: reasonOf(error) }, "a resource of which an event told could not be recorded");
      else if (taken.length > 0) await giveBackDeliveries(this.#deps.database, taken).catch(() => {});
    }
  }
}

async function handleDeliveries(
  deps: EventWorkDeps,
  arn: string,
  taken: readonly EventDelivery[],
  signal: AbortSignal,
): Promise<void> {
  const { database, now } = deps;
  const unit = parseArn(arn);
  if (unit === null) throw new Error(`a delivery names ${arn}, which is no resource`);
  const own: EventDelivery[] = [];
  const others: EventDelivery[] = [];
  for (const delivery of taken) ((await isOwnWrite(deps, delivery, arn)) ? own : others).push(delivery);
  await endDeliveries(database, own, { state: "ignored", reason: OWN_WRITE, handled_at: now() });
  const last = others.toSorted((a, b) => a.event_time.getTime() - b.event_time.getTime()).at(-1);
  if (last === undefined) return;
  const whole = others.some(({ event_name }) => !changesTagsOnly(event_name));
  const look = await lookAgain(deps, unit, arn, { whole, actor: `event ${last.event_name}`, signal });
  if (look.outcome === "recorded") {
    await endDeliveries(database, others, { state: "done", reason: null, handled_at: now() });
    await nameOpponents(database, now(), arn);
    return;
  }
  const reason = describe(look.error);
  const tired = others.filter(({ attempts }) => look.outcome === "failed" || attempts >= MOST_ATTEMPTS);
  const waiting = others.filter((delivery) => !tired.includes(delivery));
  await endDeliveries(database, tired, { state: "failed", reason, handled_at: now() });
  await endDeliveries(database, waiting, { state: "received", reason, handled_at: null });
  const { account_id, region, type } = unit;
  log.warn(
    { account_id, region, type, error: look.error.name, gave_up: tired.length },
    "an event's resource was not read",
  );
}

/**
 * Whether an event tells of a write of our own that was read back and recorded: whoever called has our name, and a repair of the
 * resource was under way then and ended verified. When in doubt it is someone else's: to look once too often does no harm.
 */
async function isOwnWrite({ database, aws }: EventWorkDeps, delivery: EventDelivery, arn: string): Promise<boolean> {
  const { event_name, principal, account_id, event_time } = delivery;
  if (!changesTagsOnly(event_name) || principal === null) return false;
  // Who we are may be unknown for now; then the look says why nothing can be read.
  const ours = await aws.principal(account_id).catch(() => null);
  return principal === ours && (await wasVerifiedAt(database, arn, event_time));
}

function describe({ name, operation, message }: ReadError): string {
  return `${operation}: ${name}: ${message}`;
}
