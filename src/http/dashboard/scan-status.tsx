import type { ScanRow } from "../../reports/store.ts";
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

/** How far a scan that has not ended is. */
export function RunningScan(props: { scan: ScanRow; now: Date; live?: boolean }) {
  const { scan, now } = props;
  const share = scan.units === 0 ? 0 : Math.round((scan.units_ended / scan.units) * 100);
  return (
    <section class="note" aria-label="Scan in progress">
      <div class="head">
        <div>
          <strong>{scan.state === "queued" ? "A scan waits for its turn." : "A scan is running."}</strong>{" "}
          {count(scan.units_ended)} of {plural(scan.units, "unit")} done, {plural(scan.resources, "resource")} read
          {scan.started_at === null ? null : (
            <>
              , started <Time at={scan.started_at} now={now} />
            </>
          )}
          .
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
    </section>
  );
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
