import { tagsFrom, type Tags } from "../../tags/tags.ts";
import { errorName } from "../call-error.ts";
import { accountsUnder, allAccounts, type Member, type Place, roots, unitsUnder } from "./organization-accounts.ts";
import { ask, listAll, type OrganizationsConnection, PAGE, present } from "./organizations-call.ts";

/** A tag policy that is attached to the root, a unit or an account. */
type AttachedDocument = {
  /** Id of what it is attached to. */
  readonly target: string;
  readonly policy_id: string;
  readonly name: string;
  /** As its author wrote it. */
  readonly content: string;
};

/** An account as the organization knows it. */
type OrganizationAccount = {
  readonly account_id: string;
  readonly name: string;
  /** `ACTIVE`, `SUSPENDED`, …; null when AWS does not say. */
  readonly state: string | null;
  /** Of the account itself, not of what is in it. */
  readonly tags: Tags;
};

/** What is asked of AWS Organizations, with the caller's own credentials. */
export type OrganizationsApi = {
  /** The text of the effective tag policy of an account; null when no tag policy holds there. */
  effectiveTagPolicy(account_id: string): Promise<string | null>;
  /** The tag policies from the root down to an account; at each level in the order in which AWS lists them. */
  attachedTagPolicies(account_id: string): Promise<readonly AttachedDocument[]>;
  account(account_id: string): Promise<OrganizationAccount>;
  /** Every account of the organization, whatever its state. */
  accounts(): Promise<readonly Member[]>;
  /** The root; AWS keeps the list for more than one. */
  roots(): Promise<readonly Place[]>;
  /** The units directly under the root or a unit. */
  unitsUnder(id: string): Promise<readonly Place[]>;
  /** The accounts directly under the root or a unit, whatever their state. */
  accountsUnder(id: string): Promise<readonly Member[]>;
};

/** Units nest five deep, under the root and above the account. Source: Organizations User Guide, "Quotas". */
const MOST_LEVELS = 7;

/** Organizations over a connection that is made when it is first needed. */
export function organizationsApi(connect: () => Promise<OrganizationsConnection>): OrganizationsApi {
  return {
    effectiveTagPolicy: async (account_id) => effectiveTagPolicy(await connect(), account_id),
    attachedTagPolicies: async (account_id) => attachedTagPolicies(await connect(), account_id),
    account: async (account_id) => readAccount(await connect(), account_id),
    accounts: async () => allAccounts(await connect()),
    roots: async () => roots(await connect()),
    unitsUnder: async (id) => unitsUnder(await connect(), id),
    accountsUnder: async (id) => accountsUnder(await connect(), id),
  };
}

async function effectiveTagPolicy(connection: OrganizationsConnection, account_id: string): Promise<string | null> {
  const { sdk, client } = connection;
  const question = new sdk.DescribeEffectivePolicyCommand({ PolicyType: "TAG_POLICY", TargetId: account_id });
  try {
    const { EffectivePolicy } = await ask(connection, "DescribeEffectivePolicy", `account ${account_id}`, (options) =>
      client.send(question, options),
    );
    return present(EffectivePolicy?.PolicyContent, "DescribeEffectivePolicy");
  } catch (error) {
    if (errorName(error) === "EffectivePolicyNotFoundException") return null;
    throw error;
  }
}

async function attachedTagPolicies(
  connection: OrganizationsConnection,
  account_id: string,
): Promise<AttachedDocument[]> {
  const { sdk, client } = connection;
  const contents = new Map<string, string>();
  const attached: AttachedDocument[] = [];
  for (const target of await pathTo(connection, account_id)) {
    const policies = await listAll(async (NextToken) => {
      const question = new sdk.ListPoliciesForTargetCommand({
        TargetId: target,
        Filter: "TAG_POLICY",
        MaxResults: PAGE,
        NextToken,
      });
      const reply = await ask(connection, "ListPoliciesForTarget", `account ${account_id}`, (options) =>
        client.send(question, options),
      );
      return { items: present(reply.Policies, "ListPoliciesForTarget"), next: reply.NextToken };
    });
    for (const { Id, Name } of policies) {
      const policy_id = present(Id, "ListPoliciesForTarget");
      const content = contents.get(policy_id) ?? (await readPolicy(connection, account_id, policy_id));
      contents.set(policy_id, content);
      attached.push({ target, policy_id, name: Name ?? policy_id, content });
    }
  }
  return attached;
}

async function readPolicy(connection: OrganizationsConnection, account_id: string, PolicyId: string): Promise<string> {
  const { sdk, client } = connection;
  const question = new sdk.DescribePolicyCommand({ PolicyId });
  const { Policy } = await ask(connection, "DescribePolicy", `account ${account_id}`, (options) =>
    client.send(question, options),
  );
  return present(Policy?.Content, "DescribePolicy");
}

/** Ids from the root down to the account. */
async function pathTo(connection: OrganizationsConnection, account_id: string): Promise<string[]> {
  const { sdk, client } = connection;
  const path = [account_id];
  while (path.length <= MOST_LEVELS) {
    const ChildId = path[0];
    const [parent] = await listAll(async (NextToken) => {
      const question = new sdk.ListParentsCommand({ ChildId, MaxResults: PAGE, NextToken });
      const reply = await ask(connection, "ListParents", `account ${account_id}`, (options) =>
        client.send(question, options),
      );
      return { items: present(reply.Parents, "ListParents"), next: reply.NextToken };
    });
    path.unshift(present(parent?.Id, "ListParents"));
    if (parent?.Type === "ROOT") return path;
  }
  throw new Error(`Organizations names more than ${MOST_LEVELS} levels above account ${account_id}.`);
}

async function readAccount(connection: OrganizationsConnection, account_id: string): Promise<OrganizationAccount> {
  const { sdk, client } = connection;
  const question = new sdk.DescribeAccountCommand({ AccountId: account_id });
  const { Account } = await ask(connection, "DescribeAccount", `account ${account_id}`, (options) =>
    client.send(question, options),
  );
  const { Name, State, Status } = present(Account, "DescribeAccount");
  const tags = await listAll(async (NextToken) => {
    const page = new sdk.ListTagsForResourceCommand({ ResourceId: account_id, NextToken });
    const reply = await ask(connection, "ListTagsForResource", `account ${account_id}`, (options) =>
      client.send(page, options),
    );
    return { items: present(reply.Tags, "ListTagsForResource"), next: reply.NextToken };
  });
  const pairs = tags.map(({ Key, Value }) => [present(Key, "ListTagsForResource"), Value ?? ""] as const);
  // `Status` was announced to end in September 2026, and `State` is not there in older partitions.
  return { account_id, name: Name ?? account_id, state: State ?? Status ?? null, tags: tagsFrom(pairs) };
}
