import { Command, InvalidArgumentError } from "commander";
import { UsageError } from "../config.ts";
import type { Database } from "../db/client.ts";
import type { FieldChange, SetComparison } from "../policy/compare.ts";
import { loadPolicies, type PolicyFile } from "../policy/load.ts";
import type { PolicyVersion } from "../policy/store.ts";
import { printable } from "../terminal/text.ts";
import { type Context, withContext } from "./context.ts";
import { EXIT } from "./exit.ts";
import { table } from "./table.ts";

/** `policies versions`: every set that was ever activated. */
export function versionsCommand(): Command {
  return new Command("versions")
    .description("List every set of policies that was ever activated: when, by whom, and what that changed.")
    .option("--json", "print [{version, policy_set_id, active, created_at, activations}]")
    .addHelpText("after", "\nExample:\n  tagwarden policies versions")
    .action((options: { json?: boolean }) =>
      withContext("policies versions", async (context) => {
        const { policyVersions } = await import("../policy/store.ts");
        const versions = await policyVersions((await context.database()).database);
        if (options.json) process.stdout.write(`${JSON.stringify(versions, null, 2)}\n`);
        else
          process.stdout.write(versions.length === 0 ? "No policies were ever activated.\n" : versionsText(versions));
      }),
    );
}

function versionsText(versions: readonly PolicyVersion[]): string {
  const rows = versions.flatMap(({ version, policy_set_id, active, activations }) =>
    activations.map((one, index) => [
      `${version}${active && index === 0 ? " *" : ""}`,
      policy_set_id.slice(0, 12),
      one.at.toISOString(),
      one.actor,
      ...[one.opened + one.reopened, one.changed, one.resolved].map(String),
    ]),
  );
  const header = ["version", "set", "activated at", "by", "opened", "changed", "closed"];
  return `${table(header, rows)}* judges now. See what is different: tagwarden policies diff <version> <version>\n`;
}

const DIFF_HELP = `
Without versions, the active one is compared with the files; with one, that one with the active one.

Exit codes: 0 they say the same; 1 they differ; 2 there is no such version, or a file is wrong.

Examples:
  tagwarden policies diff
  tagwarden policies diff 3
  tagwarden policies diff 2 3 --json`;

/** `policies diff`: rules that come, change field by field, and go, between two versions or the files. */
export function diffCommand(): Command {
  return new Command("diff")
    .argument("[from]", "a version, as `policies versions` lists them (default: the active one)", versionArgument)
    .argument(
      "[to]",
      "another version (default: the active one, or the files when no version is given)",
      versionArgument,
    )
    .description("Show which rules differ between two versions of the policies, and in which fields.")
    .option("--policies <folder>", "folder of policy files (default: TAGWARDEN_POLICIES, else policies)")
    .option("--json", "print {from, to, added, changed, removed, renamed, fields}; `null` is the folder")
    .addHelpText("after", DIFF_HELP)
    .action((from: number | undefined, to: number | undefined, options: { policies?: string; json?: boolean }) =>
      withContext("policies diff", async (context) => {
        const { changedFields, compareSets } = await import("../policy/compare.ts");
        const [one, other] = await sides(context, from, to, options.policies);
        const comparison = compareSets(one, other);
        const fields = changedFields(one, other);
        if (options.json) {
          const printed = { from: one.version, to: other.version, ...comparison, fields };
          process.stdout.write(`${JSON.stringify(printed, null, 2)}\n`);
        } else process.stdout.write(diffText(one, other, comparison, fields));
        const same = Object.values(comparison).every((names) => names.length === 0);
        process.exitCode = same ? EXIT.done : EXIT.no;
      }),
    );
}

/** `version`: null: the files of the folder. */
type Side = { readonly version: number | null; readonly files: readonly PolicyFile[] };

async function sides(context: Context, from?: number, to?: number, folder?: string): Promise<[Side, Side]> {
  const { database } = await context.database();
  const one = from === undefined ? await activeSide(database) : await versionSide(database, from);
  if (to !== undefined) return [one, await versionSide(database, to)];
  if (from !== undefined) return [one, await activeSide(database)];
  const { files } = await loadPolicies(folder ?? context.config.policies);
  return [one, { version: null, files }];
}

async function activeSide(database: Database): Promise<Side> {
  const { activeSet } = await import("../policy/store.ts");
  const active = await activeSet(database);
  if (active) return active;
  throw new UsageError("No policies are active yet: run `tagwarden scan` or `tagwarden policies activate` first.");
}

async function versionSide(database: Database, version: number): Promise<Side> {
  const { filesOfVersion } = await import("../policy/store.ts");
  const files = await filesOfVersion(database, version);
  if (files) return { version, files };
  throw new UsageError(`There is no version ${version} of the policies: tagwarden policies versions lists them.`);
}

function diffText(
  from: Side,
  to: Side,
  { added, changed, removed, renamed }: SetComparison,
  fields: Readonly<Record<string, readonly FieldChange[]>>,
): string {
  const name = ({ version }: Side) => (version === null ? "the files" : `version ${version}`);
  const lines = [
    ...renamed.map(({ from: former, to: present }) => `${former} → ${present}`),
    ...added.map((rule) => `+ ${rule}`),
    ...changed.flatMap((rule) => [`~ ${rule}`, ...(fields[rule] ?? []).map(fieldText)]),
    ...removed.map((rule) => `- ${rule}`),
  ];
  const same = "They say the same: titles, owners and the order of files do not count.";
  return `From ${name(from)} to ${name(to)}:\n${(lines.length > 0 ? lines : [same]).map((line) => `  ${line}\n`).join("")}`;
}

function fieldText({ field, ...sides }: FieldChange): string {
  const said = (side: "before" | "after") => (side in sides ? printable(JSON.stringify(sides[side])) : "(not given)");
  return `    ${field}: ${said("before")} → ${said("after")}`;
}

function versionArgument(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Give a version by its number, as `tagwarden policies versions` lists it.");
}
