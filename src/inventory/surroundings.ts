import type { Account } from "./account.ts";
import type { Tags } from "../tags/tags.ts";
import type { Lineage } from "./lineage.ts";

/** What stands around a resource, as far as the rules that judge it look there. */
export type Surroundings = { readonly lineage: Lineage; readonly account: Account };

/** The same surroundings with tags of ancestors, by ARN, as they were just read. */
export function withFreshTags(around: Surroundings, fresh: ReadonlyMap<string, Tags>): Surroundings {
  if (fresh.size === 0) return around;
  const ancestors = around.lineage.ancestors.map((ancestor) => {
    const tags = fresh.get(ancestor.arn);
    return tags ? { ...ancestor, tags, unread: null } : ancestor;
  });
  return { ...around, lineage: { ...around.lineage, ancestors } };
}

/** Nothing was looked up. */
export const NOT_LOOKED_UP: Surroundings = {
  lineage: { known: false, reason: "its parents were not looked up", ancestors: [] },
  account: { known: false, reason: "its account was not looked up" },
};
