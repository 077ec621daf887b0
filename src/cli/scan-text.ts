import type { ScanWorker } from "../reports/db/scan-lists.ts";
import type { ScanRow, ScanUnitRow } from "../reports/db/scans.ts";
import { printable } from "../terminal/text.ts";
import { table } from "./table.ts";

/** What is told of a scan at one moment. */
export type ScanView = {
  readonly scan: ScanRow;
  readonly units_by_state: Readonly<Record<string, number>>;
  readonly workers: readonly ScanWorker[];
};

const NUMBER = new Intl.NumberFormat("en-US");
const count = (value: number) => NUMBER.format(value);
/** Who works on it is told of so many processes. */
const WORKERS_SHOWN = 5;

/** A scan in some lines: how far it is, what came of it so far, and who works on it. */
export function scanLines(view: ScanView): string[] {
  const { scan, units_by_state, workers } = view;
  const { opened, reopened, changed, resolved, held, unread } = scan;
  const rows: [string, string | null][] = [
    ["targets", `${count(scan.targets_ended)} of ${count(scan.targets)} ended`],
    ["units", `${count(scan.units_ended)} of ${count(scan.units)} ended: ${statesText(units_by_state)}`],
    ["resources", `${count(scan.resources)}${unread > 0 ? `, ${count(unread)} not read` : ""}`],
    ["tags", readingsText(scan)],
    [
      "findings",
      `${count(opened)} opened, ${count(reopened)} came back, ${count(changed)} changed, ${count(resolved)} resolved${held > 0 ? `, ${count(held)} held` : ""}`,
    ],
    ["calls", callsText(scan)],
    ["time", leftText(scan)],
    ["workers", workersText(workers)],
  ];
  return rows.flatMap(([name, text]) => (text === null ? [] : [`  ${name.padEnd(10)}  ${printable(text)}`]));
}

/** The first line about a scan. */
export function scanHeading({ id, state, requested_by, created_at, stop_requested_at, finished_at }: ScanRow): string {
  const stopping = stop_requested_at !== null && finished_at === null ? ", is to end" : "";
  return printable(`Scan ${id}: ${state}${stopping}, asked for by ${requested_by} at ${created_at.toISOString()}`);
}

/** The same in one line, for what is no terminal. */
export function scanLine({ scan, units_by_state, workers }: ScanView): string {
  const parts = [
    `targets ${scan.targets_ended}/${scan.targets}`,
    `units ${scan.units_ended}/${scan.units} (${statesText(units_by_state)})`,
    `${count(scan.resources)} resources`,
    callsText(scan),
    leftText(scan),
    workersText(workers),
  ];
  return printable(`${scan.state}: ${parts.filter((part) => part !== null).join("; ")}`);
}

/** Units in a table. */
export function unitsTable(units: readonly ScanUnitRow[]): string {
  return table(
    ["ACCOUNT", "REGION", "TYPE", "STATE", "RESOURCES", "UNREAD", "OPENED", "RESOLVED", "HELD", "ERROR"],
    units.map((unit) => [
      unit.account_id,
      unit.region,
      unit.type,
      unit.state,
      String(unit.resources),
      String(unit.unread),
      String(unit.opened + unit.reopened),
      String(unit.resolved),
      String(unit.held),
      unit.error ? `${unit.error.operation}: ${unit.error.name}` : "",
    ]),
  );
}

/** `5 min`, `2 h 10 min`: what is left of something, as far as anyone can tell. */
export function spanText(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Calls of AWS with their rate. */
function callsText(scan: Pick<ScanRow, "api_calls" | "calls_per_second">): string {
  const { total = 0, throttled = 0 } = scan.api_calls;
  const rate = scan.calls_per_second;
  return `${count(total)} calls${throttled > 0 ? `, ${count(throttled)} throttled` : ""}${rate === null ? "" : `, ${rate.toFixed(1)} a second`}`;
}

/** Where the tags came from, and how often the index was found wrong. */
function readingsText(scan: ScanRow): string {
  const { readings_index, readings_service, readings_stored, readings_sampled, readings_mismatched } = scan;
  const checked =
    readings_sampled === 0
      ? ""
      : `; of ${count(readings_sampled)} answers of the index checked, ${count(readings_mismatched)} wrong`;
  return `${count(readings_index)} from the index, ${count(readings_service)} from the service, ${count(readings_stored)} stored${checked}`;
}

function leftText({ seconds_left }: ScanRow): string | null {
  return seconds_left === null ? null : `about ${spanText(seconds_left)} left`;
}

function statesText(units: Readonly<Record<string, number>>): string {
  const states = Object.entries(units);
  return states.length === 0 ? "none" : states.map(([state, units]) => `${count(units)} ${state}`).join(", ");
}

function workersText(workers: readonly ScanWorker[]): string | null {
  if (workers.length === 0) return null;
  const shown = workers.slice(0, WORKERS_SHOWN).map(({ worker, targets }) => `${worker} on ${targets}`);
  const more = workers.length - shown.length;
  return `${shown.join(", ")}${more > 0 ? `, and ${more} more` : ""}`;
}
