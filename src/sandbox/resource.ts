import type { ResourceType } from "../inventory/resource-types.ts";

/** A set of tags. Sets are shared between resources and never changed in place. */
export type Tags = ReadonlyMap<string, string>;

/** A resource of the emulated account. Times are milliseconds since the epoch. */
export type SandboxResource = {
  readonly arn: string;
  readonly account_id: string;
  readonly region: string;
  readonly type: ResourceType;
  readonly name: string;
  /** ARN of the direct parent in the lineage; null for a dataset group. A campaign's may end in `/$LATEST`, and UpdateCampaign changes it. */
  parent: string | null;
  /** Place in the list of its type: grows, never reused. Given by the bucket that takes the resource. */
  seq: number;
  status: string;
  readonly created_at: number;
  updated_at: number;
  tags: Tags;
  /** Whether it ever had a tag: the index leaves out those that never had. */
  ever_tagged: boolean;
  /** CloudFormation stack that manages it, also where it carries no mark of that. */
  readonly stack: string | null;
  /** Other members that a description has: those of the Create request, or seeded ones. */
  details: Readonly<Record<string, unknown>>;
};

export const NO_TAGS: Tags = new Map();
