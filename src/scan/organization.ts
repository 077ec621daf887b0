import { CannotBeginError, UsageError } from "../config.ts";
import type { Member, Place } from "../inventory/aws/organization-accounts.ts";
import type { OrganizationsApi } from "../inventory/aws/organizations.ts";
import { errorName } from "../inventory/call-error.ts";
import { nearestWord } from "../tags/spelling.ts";

/** What a configuration wants of an organization. */
export type OrganizationChoice = {
  /** Ids, names or paths of units, or all. */
  readonly units: "all" | readonly string[];
  readonly exclude: readonly string[];
};

/** What is asked of AWS Organizations to find accounts. */
export type OrganizationLists = Pick<OrganizationsApi, "accounts" | "roots" | "unitsUnder" | "accountsUnder">;

/** An account that was found, and by which item of `units`; null: by none, because all are wanted. */
export type FoundAccount = Member & { readonly path: string | null; readonly unit: number | null };

/** A unit with its place below the root by names; null while only its id is known. */
type KnownUnit = { readonly id: string; readonly path: string | null };

const UNIT_ID = /^(r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32})$/;

/**
 * The accounts of an organization, or of some of its units and all below them, each once. Asked anew every time: accounts
 * come and go. Throws UsageError when there is no organization or no such unit, CannotBeginError when it could not be asked.
 */
export async function findAccounts(
  lists: OrganizationLists,
  units: OrganizationChoice["units"],
): Promise<FoundAccount[]> {
  try {
    const found = units === "all" ? await ofAll(lists) : await ofUnits(lists, units);
    return [...new Map(found.toReversed().map((account) => [account.account_id, account])).values()].toReversed();
  } catch (error) {
    throw explained(error);
  }
}

/** Paths of all units by their ids. Throws as `findAccounts` does. */
export async function unitPaths(lists: OrganizationLists): Promise<ReadonlyMap<string, string>> {
  try {
    return new Map((await allUnits(lists)).map(({ id, path }) => [id, path]));
  } catch (error) {
    throw explained(error);
  }
}

async function ofAll(lists: OrganizationLists): Promise<FoundAccount[]> {
  return (await lists.accounts()).map((member) => ({ ...member, path: null, unit: null }));
}

async function ofUnits(lists: OrganizationLists, wanted: readonly string[]): Promise<FoundAccount[]> {
  const tree = wanted.every((unit) => UNIT_ID.test(unit)) ? [] : await allUnits(lists);
  const starts = wanted.map((unit): KnownUnit =>
    UNIT_ID.test(unit) ? { id: unit, path: null } : unitCalled(unit, tree),
  );
  const found = await Promise.all(
    starts.map(async (start, unit) => (await below(lists, start)).map((account) => ({ ...account, unit }))),
  );
  return found.flat();
}

/** The accounts of a unit and of all units below it. */
async function below(lists: OrganizationLists, { id, path }: KnownUnit): Promise<Omit<FoundAccount, "unit">[]> {
  const [members, units] = await Promise.all([lists.accountsUnder(id), lists.unitsUnder(id)]);
  const deeper = await Promise.all(units.map((unit) => below(lists, { id: unit.id, path: pathOf(path, unit) })));
  return [...members.map((member) => ({ ...member, path })), ...deeper.flat()];
}

function pathOf(path: string | null, { name }: Place): string | null {
  if (path === null) return null;
  return path === "" ? name : `${path}/${name}`;
}

type NamedUnit = Place & { readonly path: string };

/** The root, whose path is empty, and all units, by levels. */
async function allUnits(lists: OrganizationLists): Promise<NamedUnit[]> {
  const all: NamedUnit[] = [];
  let level: NamedUnit[] = (await lists.roots()).map((root) => ({ ...root, path: "" }));
  while (level.length > 0) {
    all.push(...level);
    const under = await Promise.all(
      level.map(async ({ id, path }) =>
        (await lists.unitsUnder(id)).map((unit) => ({ ...unit, path: pathOf(path, unit) ?? unit.name })),
      ),
    );
    level = under.flat();
  }
  return all;
}

/** A unit by its path below the root, or by its name where that is the name of one. */
function unitCalled(wanted: string, tree: readonly NamedUnit[]): NamedUnit {
  const path = wanted.replace(/^\//, "");
  const [exact] = tree.filter((unit) => unit.path === path && unit.path !== "");
  if (exact) return exact;
  const named = tree.filter(({ name }) => name === wanted);
  const [only, ...others] = named;
  if (only && others.length === 0) return only;
  if (only) {
    const paths = named.map((unit) => unit.path || unit.name).join(", ");
    throw new UsageError(
      `targets.organization.units: ${named.length} units are called ${wanted}: ${paths}. Give the path or the id.`,
    );
  }
  const hint = nearestWord(
    wanted,
    tree.flatMap((unit) => [unit.name, unit.path]),
  );
  throw new UsageError(
    `targets.organization.units: the organization has no unit ${JSON.stringify(wanted)}.${hint ? ` Did you mean ${hint}?` : ""}`,
  );
}

/** Which of them a person mends in the configuration, and which elsewhere. */
function explained(error: unknown): unknown {
  if (error instanceof UsageError || !(error instanceof Error)) return error;
  const could_not = "The accounts of the organization could not be listed, so nothing is scanned.";
  if (error.name === "NotInOrganizationError")
    return new UsageError(`${could_not} ${error.message} See targets.organization.`);
  const reason = error.name === "MissingPermissionError" ? error.message : `${errorName(error)}: ${error.message}`;
  return new CannotBeginError(`${could_not} ${reason}`, { cause: error });
}

/** Puts names in the place of ids: a path of ids leads to the unit that it ends with. */
export function nameUnits<T extends { readonly path: string | null }>(
  accounts: readonly T[],
  paths: ReadonlyMap<string, string>,
): T[] {
  return accounts.map((account) => {
    const last = account.path?.split("/").at(-1);
    return { ...account, path: (last === undefined ? undefined : paths.get(last)) ?? account.path };
  });
}
