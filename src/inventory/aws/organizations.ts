import type * as Sdk from "@aws-sdk/client-organizations";
import { tagsFrom, type Tags } from "../../tags/tags.ts";
import { errorKind, errorName } from "../call-error.ts";

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
};

/** A client, the SDK's commands for it, and the way that a call takes: limited, counted, tried again. */
export type OrganizationsConnection = {
  readonly sdk: typeof Sdk;
  readonly client: Sdk.OrganizationsClient;
  readonly call: <T>(operation: string, run: (signal: AbortSignal) => Promise<T>) => Promise<T>;
};

/** The caller may not ask this. The message names the action that is missing. */
class MissingPermissionError extends Error {
  override name = "MissingPermissionError";
}

/** The organization has no such account, or the caller is in no organization. */
class NotInOrganizationError extends Error {
  override name = "NotInOrganizationError";
}

/** Organizations accepts no larger page. */
const PAGE = 20;
/** Units nest five deep, under the root and above the account. Source: Organizations User Guide, "Quotas". */
const MOST_LEVELS = 7;
const NOT_THERE = ["AccountNotFoundException", "ChildNotFoundException", "TargetNotFoundException"];

/** Organizations over a connection that is made when it is first needed. */
export function organizationsApi(connect: () => Promise<OrganizationsConnection>): OrganizationsApi {
  return {
    effectiveTagPolicy: async (account_id) => effectiveTagPolicy(await connect(), account_id),
    attachedTagPolicies: async (account_id) => attachedTagPolicies(await connect(), account_id),
    account: async (account_id) => readAccount(await connect(), account_id),
  };
}

async function effectiveTagPolicy(connection: OrganizationsConnection, account_id: string): Promise<string | null> {
  const { sdk, client } = connection;
  const question = new sdk.DescribeEffectivePolicyCommand({ PolicyType: "TAG_POLICY", TargetId: account_id });
  try {
    const { EffectivePolicy } = await ask(connection, "DescribeEffectivePolicy", account_id, (options) =>
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
      const reply = await ask(connection, "ListPoliciesForTarget", account_id, (options) =>
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
  const { Policy } = await ask(connection, "DescribePolicy", account_id, (options) => client.send(question, options));
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
      const reply = await ask(connection, "ListParents", account_id, (options) => client.send(question, options));
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
  const { Account } = await ask(connection, "DescribeAccount", account_id, (options) => client.send(question, options));
  const { Name, State, Status } = present(Account, "DescribeAccount");
  const tags = await listAll(async (NextToken) => {
    const page = new sdk.ListTagsForResourceCommand({ ResourceId: account_id, NextToken });
    const reply = await ask(connection, "ListTagsForResource", account_id, (options) => client.send(page, options));
    return { items: present(reply.Tags, "ListTagsForResource"), next: reply.NextToken };
  });
  const pairs = tags.map(({ Key, Value }) => [present(Key, "ListTagsForResource"), Value ?? ""] as const);
  // `Status` was announced to end in September 2026, and `State` is not there in older partitions.
  return { account_id, name: Name ?? account_id, state: State ?? Status ?? null, tags: tagsFrom(pairs) };
}

/** Makes a call; what a person can mend comes back in words for a person. */
async function ask<T>(
  { call }: OrganizationsConnection,
  operation: string,
  account_id: string,
  send: (options: { readonly abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> {
  try {
    return await call(operation, (abortSignal) => send({ abortSignal }));
  } catch (cause) {
    if (errorKind(cause) === "denied") {
      const message = `The permission organizations:${operation} is missing, or this account may not ask about ${account_id}: that is for the management account and for delegated administrators. See docs/iam.md.`;
      throw new MissingPermissionError(message, { cause });
    }
    if (errorName(cause) === "AWSOrganizationsNotInUseException")
      throw new NotInOrganizationError("The caller's account is in no organization.", { cause });
    if (NOT_THERE.includes(errorName(cause)))
      throw new NotInOrganizationError(`The organization has no account ${account_id}.`, { cause });
    throw cause;
  }
}

/** All pages of a list: one may be empty although more follow. */
async function listAll<Item>(
  read: (token: string | undefined) => Promise<{ readonly items: readonly Item[]; readonly next: string | undefined }>,
): Promise<Item[]> {
  const all: Item[] = [];
  const seen = new Set<string>();
  let token: string | undefined;
  do {
    const { items, next } = await read(token);
    all.push(...items);
    token = next === "" ? undefined : next;
    if (token !== undefined && seen.has(token)) throw new Error("Organizations gives the same page again and again.");
    if (token !== undefined) seen.add(token);
  } while (token !== undefined);
  return all;
}

function present<T>(part: T | undefined, operation: string): T {
  if (part === undefined) throw new Error(`${operation} of Organizations answered without what was asked for.`);
  return part;
}
