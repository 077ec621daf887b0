import type { Tags } from "../tags/tags.ts";

/** What is known of an account besides its id; or why nothing is. */
export type Account =
  | { readonly known: true; readonly name: string; readonly tags: Tags }
  | { readonly known: false; readonly reason: string };
