import type { SandboxAccount } from "./accounts.ts";
import { MANAGEMENT_ACCOUNT_ID } from "./accounts.ts";
import type { Json } from "./check-input.ts";
import { AwsError } from "./error.ts";
import { parseModel } from "./model.ts";
import { ORGANIZATIONS_MODEL } from "./models/organizations.ts";
import { POLICY_OPERATIONS } from "./organization-policies.ts";
import {
  accountOf,
  ARN,
  ORGANIZATION_ID,
  page,
  parentUnit,
  ROOT_ID,
  unitId,
  unitOf,
  unitPath,
  unitsUnder,
} from "./organization-tree.ts";
import type { Handler, Service } from "./service.ts";

const OPERATIONS: Record<string, Handler> = {
  DescribeOrganization: () => ({
    Organization: {
      Id: ORGANIZATION_ID,
      Arn: `${ARN}:organization/${ORGANIZATION_ID}`,
      FeatureSet: "ALL",
      MasterAccountArn: `${ARN}:account/${ORGANIZATION_ID}/${MANAGEMENT_ACCOUNT_ID}`,
      MasterAccountId: MANAGEMENT_ACCOUNT_ID,
      MasterAccountEmail: "aws-management@example.com",
      AvailablePolicyTypes: [],
    },
  }),
  ListAccounts: (input, context) =>
    page("ListAccounts", "Accounts", context.world.accounts.map(accountView), input, context),
  DescribeAccount(input, context) {
    return { Account: accountView(accountOf(String(input.AccountId), context)) };
  },
  ListRoots: (input, context) => {
    const PolicyTypes = [{ Type: "TAG_POLICY", Status: "ENABLED" }];
    const root = { Id: ROOT_ID, Arn: `${ARN}:root/${ORGANIZATION_ID}/${ROOT_ID}`, Name: "Root", PolicyTypes };
    return page("ListRoots", "Roots", [root], input, context);
  },
  ListOrganizationalUnitsForParent(input, context) {
    const parent = String(input.ParentId);
    const units = unitsUnder(unitOf(parent, context), context).map(unitView);
    return page(`ListOrganizationalUnitsForParent ${parent}`, "OrganizationalUnits", units, input, context);
  },
  DescribeOrganizationalUnit(input, context) {
    const unit = unitOf(String(input.OrganizationalUnitId), context);
    return { OrganizationalUnit: unitView(unit ?? "") };
  },
  ListAccountsForParent(input, context) {
    const parent = String(input.ParentId);
    const unit = unitOf(parent, context);
    const accounts = context.world.accounts.filter((account) => account.unit === unit).map(accountView);
    return page(`ListAccountsForParent ${parent}`, "Accounts", accounts, input, context);
  },
  ListParents(input, context) {
    const child = String(input.ChildId);
    const unit = child.startsWith("ou-") ? parentUnit(unitOf(child, context) ?? "") : accountOf(child, context).unit;
    const parent = unit === null ? { Id: ROOT_ID, Type: "ROOT" } : { Id: unitId(unit), Type: "ORGANIZATIONAL_UNIT" };
    return page(`ListParents ${child}`, "Parents", [parent], input, context);
  },
  ...POLICY_OPERATIONS,
};

/** What any account of the organization may ask; DescribeEffectivePolicy only of itself. */
const OPEN = ["DescribeOrganization", "DescribeEffectivePolicy"];

/** All else only the management account may ask. */
function restricted(operation: string, handler: Handler): Handler {
  return (input, context) => {
    if (context.caller.account_id !== MANAGEMENT_ACCOUNT_ID && !OPEN.includes(operation)) {
      throw new AwsError("AccessDeniedException", "You don't have permissions to access this resource.");
    }
    return handler(input, context);
  };
}

function accountView(account: SandboxAccount): Json {
  const path = [ROOT_ID, ...(account.unit === null ? [] : unitPath(account.unit).map(unitId))].join("/");
  return {
    Id: account.id,
    Arn: `${ARN}:account/${ORGANIZATION_ID}/${account.id}`,
    Email: account.email,
    Name: account.name,
    State: account.state,
    Status: account.state,
    Paths: [`${ORGANIZATION_ID}/${path}/${account.id}/`],
    JoinedMethod: account.unit === null ? "INVITED" : "CREATED",
    JoinedTimestamp: account.joined_at.getTime() / 1000,
  };
}

function unitView(name: string): Json {
  return {
    Id: unitId(name),
    Arn: `${ARN}:ou/${ORGANIZATION_ID}/${unitId(name)}`,
    Name: name,
    Path: `${[ORGANIZATION_ID, ROOT_ID, ...unitPath(name).map(unitId)].join("/")}/`,
  };
}

/** AWS Organizations, as the management account sees it. */
export const ORGANIZATIONS: Service = {
  signing_name: "organizations",
  protocol: "json",
  prefix: "AWSOrganizationsV20161128",
  iam_prefix: "organizations",
  model: parseModel(ORGANIZATIONS_MODEL),
  operations: Object.fromEntries(
    Object.entries(OPERATIONS).map(([name, handler]) => [name, restricted(name, handler)]),
  ),
  errors: {
    constraint: { name: "InvalidInputException", status: 400 },
    throttle: { name: "TooManyRequestsException", status: 400 },
    internal: { name: "ServiceException", status: 500 },
    denied: { name: "AccessDeniedException", status: 400 },
    unknown_operation: { name: "UnknownOperationException", status: 400 },
  },
};
