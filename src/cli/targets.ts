import { Command } from "commander";
import { CannotBeginError } from "../config.ts";
import type { Aws } from "../inventory/aws/session.ts";
import { targetSource } from "../scan/aws-settings.ts";
import { adviceFor, type Asker } from "../scan/check-advice.ts";
import { checkTargets } from "../scan/check-targets.ts";
import { nameUnits, unitPaths } from "../scan/organization.ts";
import { lookForTargets, type Narrowing, type TargetChoice, targetsOf } from "../scan/targets.ts";
import { type Context, withContext } from "./context.ts";
import { EXIT } from "./exit.ts";
import { listOption } from "./list-option.ts";
import { writtenOver } from "./progress.ts";
import { type AdvisedCheck, checksText, choiceText, type Located } from "./targets-text.ts";

type Options = Narrowing & { check?: boolean; json?: boolean };

const HELP = `
Nothing is recorded, and no database is opened. Without --check only the caller and, where the configuration says so, AWS
Organizations are asked. With it every role is assumed, and what a scan needs is tried: each of the thirteen lists, the tags of
one resource, the tag index, and the event history of CloudTrail where remediation.cloudtrail is on.

Exit codes: 0 done; 1 a check failed; 2 nothing can be scanned so; 4 AWS could not be asked.

Examples:
  tagwarden targets
  tagwarden targets --check --regions us-east-1
  tagwarden targets --check --accounts 444455556666 --json`;

/** `tagwarden targets`: what a scan would cover and why, and whether it could. */
export function targetsCommand(): Command {
  return new Command("targets")
    .description("Show which accounts and regions a scan would cover and why, and try whether it could.")
    .option("--regions <a,b>", "regions (default: tagwarden.yaml, else the AWS SDK's)", listOption)
    .option("--accounts <a,b>", "accounts (default: tagwarden.yaml, else the caller's own)", listOption)
    .option("--check", "assume each role and try each permission that a scan needs")
    .option("--json", "print {partition, targets, accounts, regions, notes}, with --check also {checks}")
    .addHelpText("after", HELP)
    .action(async (options: Options) => {
      process.exitCode = await withContext("targets", (context) => targets(context, options));
    });
}

async function targets(context: Context, options: Options): Promise<number> {
  const { config } = context;
  const aws = await context.aws();
  const choice = await named(await lookForTargets(options, await targetSource(config, aws)), aws, config.accounts);
  const checks = options.check ? await check(context, aws, choice) : null;
  const at = (from: string) => (from.startsWith("targets.") ? config.locate(from) : null);
  const located: Located = {
    ...choice,
    accounts: choice.accounts.map((account) => ({ ...account, at: at(account.from) })),
    regions: choice.regions.map((region) => ({ ...region, at: at(region.from) })),
  };
  process.stdout.write(
    options.json ? jsonOf(located, checks) : `${choiceText(located)}${checks ? checksText(located, checks) : ""}`,
  );
  return checks?.some(({ state }) => state === "failed") ? EXIT.no : EXIT.done;
}

/** The configuration may know a name, and the organization what its units are called, if the caller may ask that. */
async function named(
  choice: TargetChoice,
  aws: Aws,
  configured: Readonly<Record<string, { readonly name: string }>>,
): Promise<TargetChoice> {
  const accounts = choice.accounts.map((account) => ({
    ...account,
    name: account.name ?? configured[account.account_id]?.name ?? null,
  }));
  if (accounts.every(({ path }) => path === null || !path.startsWith("r-"))) return { ...choice, accounts };
  try {
    return { ...choice, accounts: nameUnits(accounts, await unitPaths(aws.organizations)) };
  } catch (error) {
    if (!(error instanceof CannotBeginError)) throw error;
    const notes = [
      ...choice.notes,
      "The units are shown by their ids: their names could not be read, which takes organizations:ListRoots and organizations:ListOrganizationalUnitsForParent.",
    ];
    return { ...choice, accounts, notes };
  }
}

async function check({ config, signal, now }: Context, aws: Aws, choice: TargetChoice): Promise<AdvisedCheck[]> {
  const all = targetsOf(choice);
  const { role, external_id } = config.targets;
  const asker: Asker = { caller: await aws.caller(), role, external_id };
  const progress = writtenOver(process.stderr);
  const onDone = (done: number) => progress.update(`Trying: ${done} of ${all.length} targets`);
  const checks = await checkTargets(aws, all, {
    signal,
    onDone,
    cloudtrail: config.remediation.cloudtrail,
    now,
  }).finally(progress.end);
  return checks.map((each) => ({ ...each, advice: adviceFor(each, asker) }));
}

function jsonOf(choice: Located, checks: readonly AdvisedCheck[] | null): string {
  const { partition, accounts, regions, notes } = choice;
  const all = { partition, targets: targetsOf(choice).length, accounts, regions, notes, ...(checks && { checks }) };
  return `${JSON.stringify(all, null, 2)}\n`;
}
