import type { ScanWorker } from "../../reports/db/scan-lists.ts";
import type { ScanRow } from "../../reports/db/scans.ts";
import { link } from "./links.ts";
import { Chip, FullTime, Time } from "./parts.tsx";
import { count, duration, plural } from "./words.ts";

/** Asks for a scan of everything. A plain form, so it works without script; other sites are refused by the server. */
export function ScanNow(props: { primary?: boolean; choose?: boolean }) {
  return (
    <form method="post" action="/scans" class="actions">
      {props.choose === true ? (
        <label class="check">
          <input type="checkbox" name="confirm" value="all" />
          Ask the service for every resource
        </label>
      ) : null}
      <button type="submit" class={props.primary === false ? undefined : "primary"}>
        Scan now
      </button>
    </form>
  );
}

/** Asks for the end of a scan. */
function CancelScan(props: { id: string }) {
  return (
    <form method="post" action={link.cancelScan(props.id)} class="actions">
      <button type="submit">Cancel scan</button>
    </form>
  );
}

/** How far a scan that has not ended is. `workers`: who works on it, where that is to be told. */
export function RunningScan(props: { scan: ScanRow; now: Date; live?: boolean; workers?: readonly ScanWorker[] }) {
  const { scan, now, workers } = props;
  const share = scan.units === 0 ? 0 : Math.round((scan.units_ended / scan.units) * 100);
  return (
    <section class="note" aria-label="Scan in progress">
      <div class="head">
        <div>
          <strong>{headline(scan)}</strong> {count(scan.targets_ended)} of {plural(scan.targets, "target")} and{" "}
          {count(scan.units_ended)} of {plural(scan.units, "unit")} done, {plural(scan.resources, "resource")} read
          {scan.started_at === null ? null : (
            <>
              , started <Time at={scan.started_at} now={now} />
            </>
          )}
          . {callsOf(scan)}
          {scan.seconds_left === null ? "" : ` About ${duration(scan.seconds_left)} left.`}
        </div>
        {props.live === true ? (
          <a href={link.scan(scan.id)}>Stop refreshing</a>
        ) : (
          <a href={link.scan(scan.id, { live: "1" })}>Follow it live</a>
        )}
      </div>
      <progress class="progress" value={share} max={100} aria-label="Units done">
        {share} %
      </progress>
      {workers === undefined ? null : (
        <div class="head">
          <p class="small">{workersText(workers)}</p>
          {scan.stop_requested_at === null ? <CancelScan id={scan.id} /> : null}
        </div>
      )}
    </section>
  );
}

function headline({ state, stop_requested_at }: ScanRow): string {
  if (stop_requested_at !== null) return "A scan is to end; whoever works on it stops within seconds.";
  return state === "queued" ? "A scan waits for its turn." : "A scan is running.";
}

function callsOf({ api_calls, calls_per_second }: ScanRow): string {
  const { total = 0, throttled = 0 } = api_calls;
  const rate = calls_per_second === null ? "" : `, ${calls_per_second.toFixed(1)} a second`;
  return `${plural(total, "AWS call")}${throttled > 0 ? `, ${count(throttled)} throttled` : ""}${rate}.`;
}

const WORKERS_SHOWN = 10;

function workersText(workers: readonly ScanWorker[]): string {
  if (workers.length === 0) return "Nobody works on it at this moment.";
  const shown = workers
    .slice(0, WORKERS_SHOWN)
    .map(({ worker, targets }) => `${worker} (${plural(targets, "target")})`);
  const more = workers.length - shown.length;
  return `At work: ${shown.join(", ")}${more > 0 ? `, and ${more} more` : ""}.`;
}

/** The newest scan that ended, in a card. */
export function LatestScan(props: { scan: ScanRow | null; now: Date; busy: boolean }) {
  const { scan, now } = props;
  return (
    <section class="card" aria-labelledby="latest-scan">
      <div class="card-head">
        <h2 id="latest-scan">Latest scan</h2>
        {scan === null ? null : <Chip state={scan.state} />}
      </div>
      {scan === null ? (
        <p class="muted">None has ended yet.</p>
      ) : (
        <div class="stack">
          <p>
            <a href={link.scan(scan.id)}>
              <FullTime at={scan.finished_at ?? scan.created_at} now={now} />
            </a>
          </p>
          <dl class="stats">
            <div>
              <dt>resources</dt>
              <dd>{count(scan.resources)}</dd>
            </div>
            <div>
              <dt>opened</dt>
              <dd>{count(scan.opened + scan.reopened)}</dd>
            </div>
            <div>
              <dt>resolved</dt>
              <dd>{count(scan.resolved)}</dd>
            </div>
          </dl>
          <p class="muted small">
            {plural(scan.units, "unit")}
            {scan.duration_seconds === null ? "" : ` in ${duration(scan.duration_seconds)}`},{" "}
            {plural(scan.api_calls["total"] ?? 0, "AWS call")}
            {(scan.api_calls["throttled"] ?? 0) > 0 ? `, ${count(scan.api_calls["throttled"] ?? 0)} throttled` : ""}
          </p>
          {scan.units_complete < scan.units ? (
            <p class="small">
              {plural(scan.units - scan.units_complete, "unit")} not complete.{" "}
              <a href={link.scan(scan.id)}>See which and why</a>
            </p>
          ) : null}
        </div>
      )}
      {props.busy ? null : (
        <div class="card-foot">
          <ScanNow />
        </div>
      )}
    </section>
  );
}
