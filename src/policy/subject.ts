import type { Resource } from "../inventory/resource.ts";
import type { Surroundings } from "../inventory/surroundings.ts";
import type { Tags } from "../tags/tags.ts";

/** What is judged, and when. */
export type Subject = {
  readonly resource: Resource;
  /** All tags, `aws:` ones included: they are neither judged nor shown to a condition. */
  readonly tags: Tags;
  readonly now: Date;
  /** Absent: nothing was looked up, and a rule that needs it is unknown. */
  readonly around?: Surroundings;
};
