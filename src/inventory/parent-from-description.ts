import { type Child, parentInArn, standing } from "./lineage.ts";
import { parseArn } from "./parse-arn.ts";
import { RESOURCE_TYPES } from "./resource-types.ts";

/** Why a description does not tell the parent: by a name, as errors of AWS have one, and in words. */
export type NoParent = { readonly name: "UnexpectedReply" | "UpdateInProgress"; readonly message: string };

type Description = Readonly<Record<string, unknown>>;

/**
 * The parent that a description names, in the one form in which it is stored. A campaign that follows the latest version of its
 * solution stands under the solution, whether AWS shows that as `…/$LATEST` or as the version of today, which is documented
 * nowhere. While an update to another parent is under way, the parent is neither the old one nor the new one.
 */
export function parentFromDescription(
  { arn, type }: Pick<Child, "arn" | "type">,
  described: Description,
): string | NoParent {
  const { parent, moves } = RESOURCE_TYPES[type];
  if (parent === null) return unexpected(`a ${type} has no parent`);
  const field = RESOURCE_TYPES[parent].arn_field;
  const named = described[field];
  if (typeof named !== "string") return unexpected(`the description of ${arn} has no ${field}`);
  const child = parseArn(arn);
  const found = parseArn(named);
  if (found?.type !== parent || found.account_id !== child?.account_id || found.region !== child.region) {
    return unexpected(`the description of ${arn} names ${named} as its ${field}`);
  }
  if (moves === null) return named;
  const [settings, flag] = moves.follows;
  const placed = (shown: Description, version: string) =>
    member(shown, settings)[flag] === true ? parentInArn(version, RESOURCE_TYPES[parent].parent) : standing(version);
  const update = member(described, moves.update);
  const coming = update[field];
  if (
    isUnderWay(update["status"]) &&
    typeof coming === "string" &&
    placed(update, coming) !== placed(described, named)
  ) {
    return { name: "UpdateInProgress", message: `${arn} is being updated from ${named} to ${coming}` };
  }
  return placed(described, named);
}

function unexpected(message: string): NoParent {
  return { name: "UnexpectedReply", message };
}

function member(described: Description, field: string): Description {
  const value = described[field];
  return typeof value === "object" && value !== null ? (value as Description) : {};
}

/** Statuses are an open set in which spaces and underscores are mixed: `CREATE PENDING`, `CREATE IN_PROGRESS`. */
function isUnderWay(status: unknown): boolean {
  return typeof status === "string" && /PENDING|IN[ _]PROGRESS/i.test(status);
}
