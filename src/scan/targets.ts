import { UsageError } from "../config.ts";
import type { Target } from "../inventory/resource.ts";
import { RESOURCE_TYPE_NAMES, type ResourceType } from "../inventory/resource-types.ts";
import { nearestWord } from "../tags/spelling.ts";
import { findAccounts, type OrganizationChoice, type OrganizationLists } from "./organization.ts";
import { knownRegions, offeredRegions, partitionOfRegion } from "./regions.ts";

/** What a person may narrow a scan to; what is absent comes from the configuration, then from the caller. */
export type Narrowing = {
  readonly accounts?: readonly string[] | undefined;
  readonly regions?: readonly string[] | undefined;
  readonly types?: readonly string[] | undefined;
};

/** The configured targets and who calls. */
export type TargetSource = {
  readonly configured: {
    readonly accounts?: readonly string[] | undefined;
    readonly organization?: OrganizationChoice | undefined;
    readonly regions?: "all" | readonly string[] | undefined;
    readonly role?: string | undefined;
  };
  readonly caller: { readonly account_id: string; readonly partition: string };
  /** Asked, with the caller's credentials, when the configuration names an organization and nobody names accounts. */
  readonly organizations: OrganizationLists;
  /** The region that the AWS SDK would use; null when none is set. */
  readonly default_region: string | null;
  /** An endpoint is given, so any region may exist there. */
  readonly any_region: boolean;
};

/** An account, why it was looked at, and why it is not scanned, where it is not. */
export type AccountChoice = {
  readonly account_id: string;
  readonly name: string | null;
  /** Names of the units above it, with slashes between; empty: the root is. Null: not known. */
  readonly path: string | null;
  /** As the organization has it; null where it was not asked. */
  readonly state: string | null;
  /** Field of the configuration, option of the command line, or whose default. */
  readonly from: string;
  /** Null: it is scanned. */
  readonly left_out: string | null;
};

/** A member of an organization, and whether AWS lets anyone into it; null: AWS does not say. */
export type OrganizationMember = { readonly account_id: string; readonly state: string | null };

/** What a scan would cover, and why. */
export type TargetChoice = {
  readonly partition: string;
  readonly accounts: readonly AccountChoice[];
  readonly regions: readonly { readonly region: string; readonly from: string }[];
  /** All accounts of the organization, where it was listed as a whole; else null. */
  readonly members: readonly OrganizationMember[] | null;
  /** What looks like a mistake, and stops nothing. */
  readonly notes: readonly string[];
};

/** The targets of a scan, accounts × regions, and what the organization says of its accounts. Throws as `lookForTargets` does. */
export async function chooseTargets(
  narrowing: Narrowing,
  source: TargetSource,
): Promise<{ targets: Target[]; members: TargetChoice["members"] }> {
  const choice = await lookForTargets(narrowing, source);
  return { targets: targetsOf(choice), members: choice.members };
}

/** The targets that a choice comes to. */
export function targetsOf({ partition, accounts, regions }: TargetChoice): Target[] {
  return accounts
    .filter(({ left_out }) => left_out === null)
    .flatMap(({ account_id }) => regions.map(({ region }) => ({ partition, account_id, region })));
}

/**
 * What a scan would cover, and why; organizations are asked anew. Throws UsageError for what cannot be scanned, nothing at all
 * included, and CannotBeginError when the organization could not be asked.
 */
export async function lookForTargets(narrowing: Narrowing, source: TargetSource): Promise<TargetChoice> {
  const regions = chooseRegions(narrowing, source);
  const { accounts, members, notes } = await chooseAccounts(narrowing, source);
  const { partition, account_id } = source.caller;
  const scanned = accounts.filter(({ left_out }) => left_out === null);
  if (scanned.length === 0) {
    const reasons = [...new Set(accounts.map(({ left_out }) => left_out))].join(", ");
    throw new UsageError(
      `No account is left to scan: ${accounts.length === 0 ? "none was found" : `all ${accounts.length} are left out (${reasons})`}. Look at targets in tagwarden.yaml.`,
    );
  }
  const other = scanned.find((account) => account.account_id !== account_id);
  if (other && source.configured.role === undefined) {
    throw new UsageError(
      `Account ${other.account_id} is not the caller's own (${account_id}): set targets.role in tagwarden.yaml to the role to assume there.`,
    );
  }
  return { partition, accounts, regions, members, notes };
}

/** What is asked for wins over the configuration, but not over what the configuration excludes. */
async function chooseAccounts(
  { accounts: asked }: Narrowing,
  { configured, caller, organizations }: TargetSource,
): Promise<Pick<TargetChoice, "accounts" | "members" | "notes">> {
  const { accounts, organization } = configured;
  const none = { members: null, notes: [] };
  if (asked !== undefined) {
    for (const account_id of asked) {
      if (!/^\d{12}$/.test(account_id))
        throw new UsageError(`${JSON.stringify(account_id)} is not an account id: it has twelve digits.`);
      if (organization?.exclude.includes(account_id))
        throw new UsageError(`Account ${account_id} is excluded by targets.organization.exclude in tagwarden.yaml.`);
    }
    return { accounts: listed(asked, () => "--accounts"), ...none };
  }
  if (organization) return ofOrganization(organization, organizations);
  if (accounts) return { accounts: listed(accounts, (index) => `targets.accounts.${index}`), ...none };
  return { accounts: listed([caller.account_id], () => "the caller's own account"), ...none };
}

function listed(ids: readonly string[], from: (index: number) => string): AccountChoice[] {
  const unknown = { name: null, path: null, state: null, left_out: null };
  return unique(ids).map((account_id) => ({ account_id, ...unknown, from: from(ids.indexOf(account_id)) }));
}

async function ofOrganization(
  { units, exclude }: OrganizationChoice,
  organizations: OrganizationLists,
): Promise<Pick<TargetChoice, "accounts" | "members" | "notes">> {
  const found = await findAccounts(organizations, units);
  const accounts = found.map(({ account_id, name, path, above, state, unit }) => {
    const excluded = exclude.indexOf(account_id);
    const reason = excluded >= 0 ? `excluded by targets.organization.exclude.${excluded}` : notActive(state);
    const from = unit === null ? "targets.organization" : `targets.organization.units.${unit}`;
    return { account_id, name, path: path ?? above?.join("/") ?? null, state, from, left_out: reason };
  });
  const notes = exclude
    .filter((account_id) => !found.some((account) => account.account_id === account_id))
    .map((account_id) => `targets.organization.exclude names ${account_id}, which is none of the accounts found.`);
  const members = units === "all" ? found.map(({ account_id, state }) => ({ account_id, state })) : null;
  return { accounts, members, notes };
}

/** Nothing can be read in an account that is not active. One of which AWS does not say it is tried. */
function notActive(state: string | null): string | null {
  return state === null || state === "ACTIVE" ? null : `the organization calls it ${state}`;
}

function chooseRegions(narrowing: Narrowing, source: TargetSource): TargetChoice["regions"] {
  const { configured, caller, default_region } = source;
  const asked = narrowing.regions;
  const named = asked ?? (configured.regions === "all" ? undefined : configured.regions);
  if (named !== undefined) {
    for (const region of named) checkRegion(region, source);
    return unique(named).map((region) => ({
      region,
      from: asked ? "--regions" : `targets.regions.${named.indexOf(region)}`,
    }));
  }
  if (configured.regions === "all") {
    const offered = offeredRegions(caller.partition);
    if (offered.length > 0) return offered.map((region) => ({ region, from: "targets.regions" }));
    throw new UsageError(
      `targets.regions: all stands for no region in partition ${caller.partition}, because where Personalize is offered there is not certain. Name the regions.`,
    );
  }
  if (default_region === null) {
    throw new UsageError(
      "No region is known. Give --regions us-east-1, or targets.regions in tagwarden.yaml, or AWS_REGION.",
    );
  }
  checkRegion(default_region, source);
  return [{ region: default_region, from: "the AWS SDK's region" }];
}

function checkRegion(region: string, { caller: { partition }, any_region }: TargetSource): void {
  const known = knownRegions(partition);
  if (any_region || known.includes(region)) return;
  const other = partitionOfRegion(region);
  if (other !== null) {
    throw new UsageError(
      `Region ${region} belongs to partition ${other}, and the caller's credentials are of partition ${partition}: one cannot be reached with the other's.`,
    );
  }
  const hint = nearestWord(region, known);
  throw new UsageError(
    `Amazon Personalize is not offered in region ${JSON.stringify(region)}.${hint ? ` Did you mean ${hint}?` : ` It is in ${known.join(", ")}.`}`,
  );
}

/** The types of a scan, in the order of the table. Throws UsageError for a name that is none. */
export function chooseTypes(names: readonly string[] | undefined): ResourceType[] {
  if (names === undefined) return RESOURCE_TYPE_NAMES;
  for (const name of names) {
    if (!(RESOURCE_TYPE_NAMES as string[]).includes(name)) {
      const hint = nearestWord(name, RESOURCE_TYPE_NAMES);
      throw new UsageError(
        `${JSON.stringify(name)} is not a resource type.${hint ? ` Did you mean ${hint}?` : ""} The types are ${RESOURCE_TYPE_NAMES.join(", ")}.`,
      );
    }
  }
  return RESOURCE_TYPE_NAMES.filter((type) => names.includes(type));
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
