import { Command } from "commander";
import { UsageError } from "../config.ts";
import { type SlotRow, slotsPage } from "../scan/schedules/slots.ts";
import { comingOf, schedule, type ScheduleItem, schedulesPage } from "../scan/schedules/store.ts";
import { printable } from "../terminal/text.ts";
import { withContext } from "./context.ts";
import { explainPageToken, pageSizeOption } from "./page-options.ts";
import { table } from "./table.ts";

/** How many slots to come, and how many that came, `show` names. */
const SHOWN = 5;

/** `tagwarden schedules`: when scans begin by themselves, and what came of it. */
export function schedulesCommand(): Command {
  return new Command("schedules")
    .description("When scans begin by themselves: list schedules, and show one with its slots.")
    .addCommand(listCommand())
    .addCommand(showCommand());
}

function listCommand(): Command {
  return new Command("list")
    .description("The schedules of this database, each with its last and its next slot.")
    .option("--page-size <n>", "how many, 1 to 500", pageSizeOption, 50)
    .option("--page-token <token>", "next_page_token of the page before")
    .option("--json", "print {items, next_page_token, total}")
    .addHelpText("after", "\nExample:\n  tagwarden schedules list")
    .action((options: { json?: boolean; pageSize: number; pageToken?: string }) =>
      withContext("schedules", async (context) => {
        const { database } = await context.database();
        const request = { page_size: options.pageSize, page_token: options.pageToken };
        const page = await schedulesPage(database, {}, request).catch(explainPageToken);
        if (options.json) return printJson(page);
        process.stdout.write(page.items.length === 0 ? NONE : formatSchedules(page.items));
        if (page.next_page_token)
          process.stdout.write(`The next page: the same command with --page-token ${page.next_page_token}\n`);
      }),
    );
}

function showCommand(): Command {
  return new Command("show")
    .argument("<schedule>", "id of a schedule")
    .description("One schedule: which slots come next, and what came of the last ones.")
    .option("--json", "print one object, `next_slots` and `slots` in it")
    .addHelpText("after", "\nExample:\n  tagwarden schedules show nightly")
    .action((id: string, options: { json?: boolean }) =>
      withContext("schedules", async (context) => {
        const { database } = await context.database();
        const item = await schedule(database, id);
        if (!item) {
          throw new UsageError(
            `There is no schedule ${JSON.stringify(id)} in this database. List them: tagwarden schedules list`,
          );
        }
        const next_slots = await comingOf(database, item, SHOWN);
        const { items: slots } = await slotsPage(database, id, {}, { page_size: SHOWN });
        if (options.json) printJson({ ...item, next_slots, slots });
        else process.stdout.write(formatSchedule(item, next_slots, slots));
      }),
    );
}

const NONE =
  "No schedule. Those of tagwarden.yaml are here once `tagwarden serve` has started with them; others are made through the API.\n";

function formatSchedules(items: readonly ScheduleItem[]): string {
  const rows = items.map((item) => [
    item.id,
    item.cron,
    item.time_zone,
    item.next_starts_at?.toISOString() ?? (item.enabled ? "never" : "not enabled"),
    item.last_slot?.toISOString() ?? "none yet",
    item.last_outcome ?? "",
    item.origin,
  ]);
  return table(["SCHEDULE", "CRON", "TIME ZONE", "NEXT BEGINS", "LAST SLOT", "OUTCOME", "ORIGIN"], rows);
}

function formatSchedule(
  item: ScheduleItem,
  next: readonly { slot: Date; starts_at: Date }[],
  slots: readonly SlotRow[],
): string {
  const { id, cron, time_zone, jitter_seconds, catch_up, overlap, enabled, origin, updated_by, updated_at } = item;
  const scope = Object.entries({ accounts: item.accounts, regions: item.regions, types: item.types }).flatMap(
    ([name, list]) => (list === null ? [] : [`${name} ${list.join(", ")}`]),
  );
  const lines = [
    `Schedule ${id}: ${cron} in ${time_zone}${enabled ? "" : ", not enabled"}`,
    `Scans       ${scope.join("; ") || "everything that is configured"}`,
    `Policies    catch_up ${catch_up}, overlap ${overlap}, jitter up to ${jitter_seconds} s`,
    `Said by     ${origin === "config" ? "tagwarden.yaml" : "the API"}, last by ${updated_by} at ${updated_at.toISOString()}`,
    ...next.map(({ slot, starts_at }, i) => {
      const begins = starts_at > slot ? `, begins ${starts_at.toISOString()}` : "";
      return `${(i === 0 ? "Next" : "").padEnd(12)}${slot.toISOString()} (${inZone(slot, time_zone)})${begins}`;
    }),
    ...slots.map(({ slot, outcome, scan_id, caught_up, error }, i) => {
      const settled = caught_up > 0 ? `, for ${caught_up} missed` : "";
      const more = [scan_id, error].filter((one) => one !== null).join(" ");
      return `${(i === 0 ? "Last" : "").padEnd(12)}${slot.toISOString()} ${outcome}${settled} ${more}`.trimEnd();
    }),
  ];
  return lines.map((line) => `${printable(line)}\n`).join("");
}

/** As a clock in the zone shows it, the offset from UTC with it. */
function inZone(instant: Date, time_zone: string): string {
  return new Intl.DateTimeFormat("en-GB", {
    timeZone: time_zone,
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "shortOffset",
  }).format(instant);
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
