import type { Tags } from "../tags/tags.ts";
import type { ResourceType } from "./resource-types.ts";

/** One resource above another. `tags` null: they were never read, or the last attempt failed; `unread` says why. */
export type Ancestor = {
  readonly arn: string;
  readonly type: ResourceType;
  readonly name: string;
  readonly tags: Tags | null;
  readonly unread: string | null;
};

/** What stands above a resource, nearest first; or why that is not known, with the part below the gap. */
export type Lineage =
  | { readonly known: true; readonly ancestors: readonly Ancestor[] }
  | { readonly known: false; readonly reason: string; readonly ancestors: readonly Ancestor[] };
