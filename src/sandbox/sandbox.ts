import type { ResourceType } from "../inventory/resource-types.ts";
import type { FaultRule, RateLimit } from "./faults.ts";
import type { SandboxRole } from "./roles.ts";
import type { SandboxTagPolicy } from "./tag-policies.ts";

/** How a sandbox is. Everything is optional. */
export type SandboxOptions = {
  /** 0 or absent: any free port. */
  port?: number;
  /** 127.0.0.1 when absent. */
  host?: string;
  /** 1 when absent; the same seed gives the same world. */
  seed?: number;
  /** Resources over all accounts and regions; 1000 when absent, up to 1,000,000. */
  resources?: number;
  /** Member accounts beside the management account; 6 when absent, 0 for a world of one account. */
  accounts?: number;
  /** Members that are SUSPENDED and hold nothing; 0 when absent. */
  suspended_accounts?: number;
  /** us-east-1 and eu-west-1 when absent. */
  regions?: string[];
  /** Share of resources, 0..1, that never had a tag. Absent: as the habits of the seeded teams have it, about 40 %. */
  never_tagged_share?: number;
  /** Types that the tagging index does not hold; none when absent. */
  unindexed_types?: ResourceType[];
  /** How long every answer takes longer. */
  latency_ms?: number;
  /** How long after a change the tagging index shows it. */
  index_lag_ms?: number;
  /** How long after a call CloudTrail shows it. */
  trail_lag_ms?: number;
  /** By operation or wildcard (`List*`, `*`): each operation has its own bucket for each account and region. LookupEvents has that of AWS when absent. */
  rate_limits?: Record<string, RateLimit>;
  faults?: FaultRule[];
  /** Audit roles that are not as the others. */
  roles?: SandboxRole[];
  /** An empty page between any two of a list of the organization, as AWS may give them. */
  empty_pages?: boolean;
  /** Tag policies of the organization, in the order of their attachment; when absent one at the root and one at the unit Production. */
  tag_policies?: SandboxTagPolicy[];
  /** Journal of changes: replayed at the start, so that a second start keeps what was written. */
  state_file?: string;
  now?: () => Date;
};

/** A resource as the state has it. */
export type SandboxView = {
  readonly arn: string;
  readonly account_id: string;
  readonly region: string;
  readonly type: ResourceType;
  readonly name: string;
  /** ARN of the direct parent, as the service names it: a campaign's may end in `/$LATEST`. Null for a dataset group. */
  readonly parent: string | null;
  readonly status: string;
  readonly created_at: Date;
  readonly tags: ReadonlyMap<string, string>;
  readonly ever_tagged: boolean;
  readonly stack: string | null;
};

/** Calls answered, faults and errors included. */
export type SandboxCalls = { readonly total: number; readonly by_operation: Record<string, number>; reset(): void };

/** A running sandbox. */
export type Sandbox = {
  readonly url: string;
  readonly port: number;
  readonly organization: {
    readonly management_account_id: string;
    /** The active accounts, the management account first. */
    readonly accounts: readonly { readonly id: string; readonly name: string; readonly email: string }[];
    readonly regions: readonly string[];
    /** Assumable in every account. */
    readonly role_name: string;
  };
  /** The state itself, not through any API: for independent counts. */
  resources(filter?: { account_id?: string; region?: string; type?: ResourceType }): Generator<SandboxView, void>;
  /** Replaces the user tags, as another person would; the index follows after its lag. Throws on an unknown ARN. */
  setTags(arn: string, tags: Record<string, string>): void;
  /** Throws on an unknown ARN. */
  deleteResource(arn: string): void;
  /** Makes a resource of any type and returns its ARN. A dataset's name is `<group>/<TYPE>` or a group, a version's that of its solution. */
  createResource(
    target: { account_id: string; region: string },
    type: ResourceType,
    name: string,
    tags?: Record<string, string>,
  ): string;
  setFaults(faults: FaultRule[]): void;
  /** Replaces what was said of the audit roles before. */
  setRoles(roles: SandboxRole[]): void;
  setLatency(ms: number): void;
  readonly calls: SandboxCalls;
  close(): Promise<void>;
};
