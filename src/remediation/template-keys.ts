import type { ResourceType } from "../inventory/resource-types.ts";
import type { Action } from "./plan.ts";

/**
 * Types whose CloudFormation schema has a narrower pattern for the key of a tag than the service:
 * `^(?!aws:)[a-zA-Z+-=._:/]+$` in aws-personalize-datasetgroup.json, -dataset.json and -solution.json. `+-=` is a range there,
 * which lets digits and `,-.;<` in. Values are not narrowed.
 */
const NARROW: readonly ResourceType[] = ["dataset-group", "dataset", "solution"];
const TEMPLATE_KEY = /^[a-zA-Z+-=._:/]+$/;

/** Warnings about keys that a plan writes and a template could not have, a sentence each. */
export function templateWarnings(actions: readonly Pick<Action, "type" | "changes">[]): string[] {
  const types = new Map<string, Set<ResourceType>>();
  for (const { type, changes } of actions) {
    if (!NARROW.includes(type)) continue;
    for (const { key, after } of changes) {
      if (after === null || TEMPLATE_KEY.test(key)) continue;
      types.set(key, (types.get(key) ?? new Set()).add(type));
    }
  }
  return [...types].map(
    ([key, of]) =>
      `\`${key}\` is a legal key, but a CloudFormation template cannot set it on a ${[...of].join(" or ")}: there a key has letters, digits and + - = . _ : / < ; , only.`,
  );
}
