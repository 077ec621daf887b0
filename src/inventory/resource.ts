import type { ResourceType } from "./resource-types.ts";
import type { Tags } from "../tags/tags.ts";

/** One account in one region: what a worker scans at a time. */
export type Target = {
  readonly partition: string;
  /** Twelve digits; a string, because leading zeros count. */
  readonly account_id: string;
  readonly region: string;
};

/** Target × resource type: the smallest thing that is complete or not. */
export type Unit = Target & { readonly type: ResourceType };

/** A resource as a List operation shows it. No tags: Personalize returns them in no list. */
export type Resource = {
  readonly arn: string;
  readonly account_id: string;
  readonly region: string;
  readonly type: ResourceType;
  /** A solution version has the name of its solution; a resource whose summary names none has the last part of its ARN. */
  readonly name: string;
  /** As the service spells it: an open set, spaces and underscores mixed. */
  readonly status: string;
  readonly created_at: Date | null;
  readonly updated_at: Date | null;
  /** Other fields of the summary that policies may look at, as the service names them: recipeArn, trainingType, datasetGroupArn, … */
  readonly summary: Readonly<Record<string, string | number | boolean>>;
};

/** Where a reading came from: `index` = Resource Groups Tagging API, `service` = ListTagsForResource. */
export type ReadingSource = "index" | "service";

/** A resource's tags as read. */
export type Reading = {
  readonly tags: Tags;
  readonly source: ReadingSource;
  readonly read_at: Date;
};

/** What the database holds of a resource's tags before a scan looks again. */
export type StoredReading = {
  readonly tags: Tags;
  readonly source: ReadingSource;
  /** When the service was last asked and answered; null when it never was. */
  readonly service_read_at: Date | null;
  /** Whether the index returned this resource when it was last recorded. */
  readonly in_index: boolean;
  /** Creation of the resource that was read: a later one means that another resource took over the ARN. */
  readonly created_at: Date | null;
  /** The last attempt to read failed with this error; the tags above are older than that. */
  readonly reading_error: string | null;
};

/** Why something could not be read, by the error's name, never by its class. */
export type ReadError = {
  /** `AccessDeniedException`, `ThrottlingException`, `TimeoutError`, … as the service or the SDK names it. */
  readonly name: string;
  readonly message: string;
  readonly operation: string;
};

/**
 * What a scan learned about one resource.
 * - `read`: its tags are known. `confirmed`: the service said so in this very scan.
 * - `gone`: listed, then the service answered ResourceNotFound.
 * - `unknown`: it exists, its tags could not be read. Never "no tags".
 */
export type Observation = {
  readonly resource: Resource;
  readonly in_index: boolean;
  /** CloudFormation stack that the index names where the service was asked: a mark that any source shows counts. */
  readonly stack?: string;
} & (
  | {
      readonly outcome: "read";
      readonly reading: Reading;
      readonly confirmed: boolean;
      /** Set where all of this, but for the source and the time, is stored already: the digest of the stored state. */
      readonly stored_digest?: string;
    }
  | { readonly outcome: "gone" }
  | { readonly outcome: "unknown"; readonly error: ReadError }
);

/** Where the readings of a unit came from. */
export type ReadingCounts = {
  /** What the index said was taken. */
  readonly index: number;
  /** The service was asked. */
  readonly service: number;
  /** A service reading that is young enough stood. */
  readonly stored: number;
  /** The service was asked, and answered, about a resource for which the index would have been believed. */
  readonly sampled: number;
  /** Of these, those whose user tags were not what the index said. */
  readonly mismatched: number;
};

/** Whether the tag index covers a type in a target, as learned from what it returned and what it did not; see coverage.ts. */
export type Coverage = {
  readonly covered: boolean;
  /** The evidence, from the scan that taught it: resources that the index returned … */
  readonly returned: number;
  /** … and resources that it should have returned, had it covered the type. */
  readonly missing: number;
  /** When the index was last asked and this was the result. */
  readonly learned_at: Date;
};

/**
 * How a unit ended.
 * - `complete`: listed to the last page, and every reading made.
 * - `partial`: something is missing: pages, or readings of single resources.
 * - `denied`: the list was refused. `failed`: nothing could be listed for another reason.
 */
export type UnitState = "complete" | "partial" | "denied" | "failed";

/** The end of a unit's reading. `listed`: the list reached its last page, so absence means something. */
export type UnitOutcome = {
  readonly state: UnitState;
  readonly listed: boolean;
  /** Resources listed, each ARN once. */
  readonly resources: number;
  readonly pages: number;
  /** Readings that could not be made. */
  readonly unread: number;
  readonly error: ReadError | null;
  readonly warnings: readonly string[];
  /** Absent: nothing was read. */
  readonly readings?: ReadingCounts;
  /** What the reading taught about the tag index, to be kept; absent: nothing new. */
  readonly learned?: Coverage;
};
