import type * as Sdk from "@aws-sdk/client-organizations";
import { ask, listAll, type OrganizationsConnection, PAGE, present } from "./organizations-call.ts";

/** An account as the lists of the organization have it. */
export type Member = {
  readonly account_id: string;
  readonly name: string;
  /** `ACTIVE`, `SUSPENDED`, `PENDING_CLOSURE`, …; null when AWS does not say. */
  readonly state: string | null;
  /** Ids of what lies above it, the root first; null when AWS does not say. */
  readonly above: readonly string[] | null;
};

/** The root or a unit. */
export type Place = { readonly id: string; readonly name: string };

/** All accounts, in the order of the list. */
export async function allAccounts(connection: OrganizationsConnection): Promise<Member[]> {
  const { sdk, client } = connection;
  const accounts = await listAll(async (NextToken) => {
    const question = new sdk.ListAccountsCommand({ MaxResults: PAGE, NextToken });
    const reply = await ask(connection, "ListAccounts", "the accounts of the organization", (options) =>
      client.send(question, options),
    );
    return { items: present(reply.Accounts, "ListAccounts"), next: reply.NextToken };
  });
  return accounts.map((account) => toMember(account, "ListAccounts"));
}

/** The accounts directly under the root or a unit. */
export async function accountsUnder(connection: OrganizationsConnection, ParentId: string): Promise<Member[]> {
  const { sdk, client } = connection;
  const accounts = await listAll(async (NextToken) => {
    const question = new sdk.ListAccountsForParentCommand({ ParentId, MaxResults: PAGE, NextToken });
    const reply = await ask(connection, "ListAccountsForParent", `unit ${ParentId}`, (options) =>
      client.send(question, options),
    );
    return { items: present(reply.Accounts, "ListAccountsForParent"), next: reply.NextToken };
  });
  return accounts.map((account) => toMember(account, "ListAccountsForParent"));
}

/** The units directly under the root or a unit. */
export async function unitsUnder(connection: OrganizationsConnection, ParentId: string): Promise<Place[]> {
  const { sdk, client } = connection;
  const units = await listAll(async (NextToken) => {
    const question = new sdk.ListOrganizationalUnitsForParentCommand({ ParentId, MaxResults: PAGE, NextToken });
    const reply = await ask(connection, "ListOrganizationalUnitsForParent", `unit ${ParentId}`, (options) =>
      client.send(question, options),
    );
    return { items: present(reply.OrganizationalUnits, "ListOrganizationalUnitsForParent"), next: reply.NextToken };
  });
  return units.map(({ Id, Name }) => toPlace(Id, Name, "ListOrganizationalUnitsForParent"));
}

/** The roots, of which an organization has one. */
export async function roots(connection: OrganizationsConnection): Promise<Place[]> {
  const { sdk, client } = connection;
  const all = await listAll(async (NextToken) => {
    const question = new sdk.ListRootsCommand({ MaxResults: PAGE, NextToken });
    const reply = await ask(connection, "ListRoots", "the units of the organization", (options) =>
      client.send(question, options),
    );
    return { items: present(reply.Roots, "ListRoots"), next: reply.NextToken };
  });
  return all.map(({ Id, Name }) => toPlace(Id, Name, "ListRoots"));
}

function toMember({ Id, Name, State, Status, Paths }: Sdk.Account, operation: string): Member {
  const account_id = present(Id, operation);
  const [path] = Paths ?? [];
  // A path is `organization/root/unit/…/account/`.
  const above = path === undefined ? null : path.split("/").filter((part) => /^(r|ou)-/.test(part));
  // `Status` was announced to end on 9 September 2026, and `State` is not there in older partitions.
  return { account_id, name: Name ?? account_id, state: State ?? Status ?? null, above };
}

function toPlace(Id: string | undefined, Name: string | undefined, operation: string): Place {
  const id = present(Id, operation);
  return { id, name: Name ?? id };
}
