import type { Check } from "../scan/check-targets.ts";
import { type AccountChoice, type TargetChoice, targetsOf } from "../scan/targets.ts";
import { table } from "./table.ts";

/** A choice with the lines of the file that it comes from. */
export type Located = Pick<TargetChoice, "partition" | "members" | "notes"> & {
  readonly accounts: readonly (AccountChoice & { readonly at: string | null })[];
  readonly regions: readonly { readonly region: string; readonly from: string; readonly at: string | null }[];
};

/** A check and what to do about it. */
export type AdvisedCheck = Check & { readonly advice: string | null };

/** What would be scanned and why, and what is left out and why, for a person. */
export function choiceText(choice: Located): string {
  const { accounts, regions, notes } = choice;
  const scanned = accounts.filter(({ left_out }) => left_out === null);
  const left = accounts.filter(({ left_out }) => left_out !== null);
  const targets = targetsOf(choice).length;
  const parts = [
    `${count(targets, "target")}: ${count(scanned.length, "account")} × ${count(regions.length, "region")}\n`,
    table(
      ["ACCOUNT", "NAME", "UNIT", "FROM"],
      scanned.map((account) => [...whose(account), source(account)]),
    ),
    table(
      ["REGION", "FROM"],
      regions.map((region) => [region.region, source(region)]),
    ),
  ];
  if (left.length > 0) {
    const rows = left.map((account) => [...whose(account), account.left_out ?? ""]);
    parts.push(`Left out: ${count(left.length, "account")}\n${table(["ACCOUNT", "NAME", "UNIT", "WHY"], rows)}`);
  }
  if (notes.length > 0) parts.push(notes.map((note) => `Note: ${note}\n`).join(""));
  return parts.join("\n");
}

/** How the checks came out: an account in one line for all regions that came out the same, then what to do. */
export function checksText(choice: Located, checks: readonly AdvisedCheck[]): string {
  const rows = choice.accounts
    .filter(({ left_out }) => left_out === null)
    .flatMap(({ account_id, name }) => {
      const own = checks.filter((check) => check.account_id === account_id);
      return rowsOf(own, choice.regions.length).map(([where, result]) => [account_id, name ?? "-", where, result]);
    });
  const failed = checks.filter(({ state }) => state === "failed");
  const untried = checks.filter(({ state }) => state === "not_tried").length;
  const parts = [table(["ACCOUNT", "NAME", "REGIONS", "RESULT"], rows)];
  if (failed.length > 0) parts.push(mending(failed));
  if (untried > 0)
    parts.push(`In ${count(untried, "target")} there is no resource, so reading the tags of one was not tried.\n`);
  parts.push(failed.length === 0 ? "Every check passed.\n" : `${count(failed.length, "check")} failed.\n`);
  return `\n${parts.join("\n")}`;
}

/** Regions with the same result share a row; an account that cannot be entered has one row. */
function rowsOf(checks: readonly AdvisedCheck[], regions: number): [string, string][] {
  const entry = checks.find(({ region, state }) => region === null && state === "failed");
  if (entry) return [["all", resultOf([entry])]];
  const byRegion = Map.groupBy(
    checks.filter(({ region }) => region !== null),
    ({ region }) => region,
  );
  const byResult = Map.groupBy(byRegion, ([, ofRegion]) => resultOf(ofRegion));
  return [...byResult].map(([result, same]) => [
    same.length === regions && regions > 1 ? `all ${regions}` : same.map(([region]) => region).join(", "),
    result,
  ]);
}

function resultOf(checks: readonly AdvisedCheck[]): string {
  const failed = checks.filter(({ state }) => state === "failed");
  return failed.length === 0 ? "OK" : failed.map(({ action, error }) => `${action} (${error?.name})`).join(", ");
}

/** Each thing to do once, however many regions it is about. */
function mending(failed: readonly AdvisedCheck[]): string {
  const same = Map.groupBy(
    failed,
    ({ account_id, action, advice, error }) => `${account_id} ${action}\n  ${advice ?? error?.message}`,
  );
  return [...same]
    .map(([text, [first]]) => (first?.advice ? `${text}\n  Error: ${first.error?.message}\n` : `${text}\n`))
    .join("");
}

function whose({ account_id, name, path }: AccountChoice): string[] {
  return [account_id, name ?? "-", path === "" ? "(root)" : (path ?? "-")];
}

function source({ from, at }: { from: string; at: string | null }): string {
  return at === null ? from : `${from} (${at})`;
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}
