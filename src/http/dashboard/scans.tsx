import type { Page } from "../../reports/page.ts";
import type { ScanRow, ScanUnitRow } from "../../reports/db/scans.ts";
import { RESOURCE_TYPE_NAMES } from "../../inventory/resource-types.ts";
import type { HeldDecisionRow, Waiting } from "../../reports/db/held.ts";
import type { ScanWorker } from "../../reports/db/scan-lists.ts";
import { Held } from "./held.tsx";
import { Head } from "./layout.tsx";
import { link, type LinkQuery } from "./links.ts";
import { Pages } from "./lists.tsx";
import { AccountName, Chip, FullTime, Place } from "./parts.tsx";
import { RunningScan, ScanNow } from "./scan-status.tsx";
import { count, duration, plural, title } from "./words.ts";

/** Scans, the newest first. */
export function Scans(props: { page: Page<ScanRow>; query: LinkQuery; first: boolean; now: Date }) {
  const { page, now } = props;
  return (
    <>
      <Head title="Scans" say="Every look at the inventory, the newest first.">
        <ScanNow choose />
      </Head>
      <section class="card flush" aria-label="Scans">
        {page.items.length === 0 ? (
          <p class="empty muted">No scan yet.</p>
        ) : (
          <div class="scroll list" role="group" aria-label="Table of scans" tabindex={0}>
            <table>
              <thead>
                <tr>
                  <th scope="col">Asked for</th>
                  <th scope="col">State</th>
                  <th scope="col">By</th>
                  <th scope="col" class="num">
                    Units complete
                  </th>
                  <th scope="col" class="num">
                    Resources
                  </th>
                  <th scope="col" class="num">
                    Opened
                  </th>
                  <th scope="col" class="num">
                    Resolved
                  </th>
                  <th scope="col" class="num">
                    AWS calls
                  </th>
                  <th scope="col" class="num">
                    Took
                  </th>
                </tr>
              </thead>
              <tbody>
                {page.items.map((scan) => (
                  <tr>
                    <th scope="row">
                      <a href={link.scan(scan.id)}>
                        <FullTime at={scan.created_at} now={now} />
                      </a>
                    </th>
                    <td>
                      <Chip state={scan.state} />
                    </td>
                    <td>{scan.requested_by}</td>
                    <td class="num">
                      {count(scan.units_complete)} of {count(scan.units)}
                    </td>
                    <td class="num">{count(scan.resources)}</td>
                    <td class="num">{count(scan.opened + scan.reopened)}</td>
                    <td class="num">{count(scan.resolved)}</td>
                    <td class="num">{count(scan.api_calls["total"] ?? 0)}</td>
                    <td class="num">{scan.duration_seconds === null ? "–" : duration(scan.duration_seconds)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        <Pages page={page} first={props.first} query={props.query} to={link.scans} noun="scan" />
      </section>
    </>
  );
}

/** One scan: what was read, what came of it, and what was not read. */
export function ScanPage(props: {
  scan: ScanRow;
  /** Of the first targets. */
  units: readonly ScanUnitRow[];
  units_by_state: Readonly<Partial<Record<ScanUnitRow["state"], number>>>;
  /** The first units that did not end as complete, and how many there are. */
  incomplete: Page<ScanUnitRow>;
  workers: readonly ScanWorker[];
  names: ReadonlyMap<string, string>;
  now: Date;
  live: boolean;
  waiting: Waiting;
  decisions: readonly HeldDecisionRow[];
}) {
  const { scan, units, names, now } = props;
  const active = scan.state === "queued" || scan.state === "running";
  return (
    <>
      <Head title="Scan" say={<FullTime at={scan.created_at} now={now} />}>
        <Chip state={scan.state} />
      </Head>
      {active ? <RunningScan scan={scan} now={now} live={props.live} workers={props.workers} /> : null}
      <Held scan_id={scan.id} waiting={props.waiting} decisions={props.decisions} now={now} />
      {scan.error === null ? null : (
        <p class="note warn">
          <strong>It failed.</strong> {scan.error}
        </p>
      )}
      {scan.warnings.length === 0 ? null : (
        <section class="note warn" aria-label="Warnings">
          <strong>{plural(scan.warnings.length, "warning")}</strong>
          <ul>
            {scan.warnings.slice(0, 50).map((warning) => (
              <li>{warning}</li>
            ))}
          </ul>
        </section>
      )}
      <section class="card" aria-label="What came of it">
        <dl class="stats">
          <Stat name="resources" value={scan.resources} />
          <Stat name="opened" value={scan.opened} />
          <Stat name="came back" value={scan.reopened} />
          <Stat name="changed" value={scan.changed} />
          <Stat name="resolved" value={scan.resolved} />
          {scan.held > 0 ? <Stat name="held" value={scan.held} /> : null}
          {scan.unread > 0 ? <Stat name="not read" value={scan.unread} /> : null}
          <Stat name="AWS calls" value={scan.api_calls["total"] ?? 0} />
          <Stat name="throttled" value={scan.api_calls["throttled"] ?? 0} />
        </dl>
        <p class="muted small after">
          Asked for by {scan.requested_by}
          {scan.confirm_all ? ", every reading from the service" : ""}
          {scan.duration_seconds === null ? "" : `, took ${duration(scan.duration_seconds)}`}.
          {scan.policy_set_id === null ? "" : ` Policies ${scan.policy_set_id.slice(0, 12)}.`}{" "}
          {active ? null : <a href={link.overview()}>See compliance now</a>}
        </p>
      </section>
      {props.incomplete.items.length === 0 ? null : <Incomplete page={props.incomplete} names={names} />}
      <Matrix scan={scan} units={units} units_by_state={props.units_by_state} names={names} />
    </>
  );
}

function Stat(props: { name: string; value: number }) {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{count(props.value)}</dd>
    </div>
  );
}

function Incomplete(props: { page: Page<ScanUnitRow>; names: ReadonlyMap<string, string> }) {
  const { items: shown, total } = props.page;
  return (
    <section class="card flush" aria-labelledby="errors">
      <h2 id="errors">
        Not complete ({total.type === "AT_LEAST" ? "over " : ""}
        {count(total.count)})
      </h2>
      <div class="scroll" role="group" aria-labelledby="errors" tabindex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">Unit</th>
              <th scope="col">State</th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((unit) => (
              <tr>
                <th scope="row">
                  {title(unit.type)}
                  <span class="sub">
                    <AccountName id={unit.account_id} names={props.names} /> {unit.region}
                  </span>
                </th>
                <td>
                  <Chip state={unit.state} />
                </td>
                <td>
                  {unit.error === null ? (
                    whyIncomplete(unit)
                  ) : (
                    <>
                      {unit.error.name} at {unit.error.operation}
                      <span class="sub">{unit.error.message}</span>
                    </>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {total.count > shown.length ? <p class="pad muted small">The first {shown.length}.</p> : null}
    </section>
  );
}

/** Why a unit without an error is not complete. */
function whyIncomplete({ state, held, unread }: ScanUnitRow): string {
  if (held > 0) return `${plural(held, "closure")} held for a decision`;
  if (state === "superseded") return "a newer scan recorded it first";
  if (state === "cancelled") return "the scan ended before it was read";
  return unread > 0 ? `${plural(unread, "resource")} not read` : "";
}

const LETTERS: Record<ScanUnitRow["state"], { letter: string; class: string }> = {
  complete: { letter: "✓", class: "l-good" },
  partial: { letter: "P", class: "l-unsure" },
  denied: { letter: "D", class: "l-bad" },
  failed: { letter: "F", class: "l-bad" },
  held: { letter: "H", class: "l-unsure" },
  rejected: { letter: "R", class: "l-unsure" },
  superseded: { letter: "S", class: "l-unsure" },
  cancelled: { letter: "C", class: "l-unsure" },
  pending: { letter: "…", class: "l-busy" },
  running: { letter: "▸", class: "l-busy" },
};

/** So many targets are shown. */
export const MATRIX_ROWS = 150;

/** Targets × types, a letter each: the number of resources where a unit is complete. */
function Matrix(props: {
  scan: ScanRow;
  units: readonly ScanUnitRow[];
  units_by_state: Readonly<Partial<Record<ScanUnitRow["state"], number>>>;
  names: ReadonlyMap<string, string>;
}) {
  const { scan } = props;
  const types = RESOURCE_TYPE_NAMES.filter((type) => scan.types.includes(type));
  const rows = Map.groupBy(props.units, (unit) => `${unit.account_id}/${unit.region}`);
  const states = Object.entries(props.units_by_state) as [ScanUnitRow["state"], number][];
  const shown = [...rows.values()].slice(0, MATRIX_ROWS);
  return (
    <section class="card flush" aria-labelledby="units">
      <div class="card-head">
        <h2 id="units">Units</h2>
        <span class="muted small">
          Number: resources of a complete unit.{" "}
          {states.map(([state, units]) => `${LETTERS[state].letter} ${state} (${count(units)})`).join(", ")}
        </span>
      </div>
      <div class="scroll" role="group" aria-labelledby="units" tabindex={0}>
        <table class="matrix">
          <thead>
            <tr>
              <th scope="col">Target</th>
              {types.map((type) => (
                <th scope="col">{title(type)}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((units) => (
              <tr>
                <th scope="row" class="w-place">
                  <Place account_id={units[0]?.account_id ?? ""} region={units[0]?.region ?? ""} names={props.names} />
                </th>
                {types.map((type) => (
                  <td>
                    <Cell unit={units.find((unit) => unit.type === type)} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {scan.targets > shown.length ? (
        <p class="pad muted small">
          The first {shown.length} targets of {count(scan.targets)}.
        </p>
      ) : null}
    </section>
  );
}

function Cell(props: { unit: ScanUnitRow | undefined }) {
  const { unit } = props;
  if (unit === undefined) return <span class="muted">–</span>;
  const mark = LETTERS[unit.state];
  return (
    <span class={`letter ${mark.class}`} title={unit.error === null ? unit.state : `${unit.state}: ${unit.error.name}`}>
      {unit.state === "complete" ? count(unit.resources) : mark.letter}
      <span class="hidden"> {unit.state}</span>
    </span>
  );
}
