import { z } from "@hono/zod-openapi";
import { RESOURCE_TYPE_NAMES } from "../inventory/resource-types.ts";
import { FINDING_KINDS, SEVERITIES } from "../policy/verdict.ts";
import { FINDING_SORTS } from "../reports/store.ts";
import { exactly, listOf, listOfText, oneText, pageParameters } from "./params.ts";
import { STATUSES } from "./schemas.ts";

/** What lists can be filtered by: the API and the pages take the same. */

const ACCOUNT = { test: /^\d{12}$/, say: "An account id has twelve digits." };

export const accounts = listOfText("Accounts, twelve digits each", ACCOUNT);

const place = {
  account_id: accounts,
  region: listOfText("Regions"),
  type: listOf(RESOURCE_TYPE_NAMES, "Resource types"),
};
const owner = listOfText("First non-empty value of the tags Owner, owner, Team, team of the resource");
const q = oneText("Part of the ARN or of the name, in any case");

/** Part of the inventory, for compliance. */
export const ScopeQuery = exactly({ ...place });

export const FindingsQuery = exactly({
  ...place,
  effective_status: z
    .enum(["open", "exempt", "resolved", "all"])
    .optional()
    .openapi({ description: "open: open and not exempt, the default. exempt: open, and an exemption is in force now" }),
  state: z.enum(["open", "resolved"]).optional().openapi({ description: "As scans see it, exempt or not" }),
  severity: listOf(SEVERITIES, "Severities"),
  kind: listOf(FINDING_KINDS, "Kinds of violation"),
  policy_id: listOfText("Policies"),
  rule: listOfText("Rules: `rule`, or `policy/rule`"),
  key: listOfText("Tag keys, in exact case"),
  arn: listOfText("Resources"),
  owner,
  q,
  sort: z
    .enum(FINDING_SORTS)
    .optional()
    .openapi({ description: "-severity, the default: the most severe first, then the newest" }),
  ...pageParameters,
});

export const ResourcesQuery = exactly({
  ...place,
  status: listOf(STATUSES, "Compliance"),
  has_tag: listOfText("Has a tag with each of these keys, in exact case"),
  lacks_tag: listOfText("Has no tag with any of these keys, and its tags were read"),
  owner,
  q,
  ...pageParameters,
});
