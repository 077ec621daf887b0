import { RESOURCE_TYPE_NAMES, type ResourceType } from "../../inventory/resource-types.ts";

/** What AWS supports of tag policies for a resource type. */
export type Support = {
  /** `enforced_for` accepts it: AWS refuses noncompliant tagging. */
  readonly enforced_for: boolean;
  /** `report_required_tag_for` accepts it: AWS reports a missing key. */
  readonly report_required_tag_for: boolean;
};

/** The settings that name resource types. */
export type TypeSetting = keyof Support;

/** All types of a service that support a setting; where a service has it. */
const ALL = "ALL_SUPPORTED";

/**
 * E: `enforced_for` takes the type; R: `report_required_tag_for` does; -: neither. Sources: the table "Services and resource types
 * that support enforcement" of the Organizations User Guide, as of September 2026; for R also the list of types that Terraform's
 * AWS provider keeps for required keys. That table is long and changes often: what is not here is unknown, which is no error.
 */
const ROWS: Readonly<Record<string, "ER" | "E" | "R" | "-">> = {
  "acm:certificate": "ER",
  "aoss:collection": "ER",
  "backup:backup-plan": "ER",
  "backup:backup-vault": "E",
  "batch:job-definition": "ER",
  "batch:job-queue": "ER",
  "dynamodb:table": "ER",
  "ec2:ALL_SUPPORTED": "ER",
  "ec2:elastic-ip": "ER",
  "ec2:instance": "ER",
  "ec2:key-pair": "ER",
  "ec2:launch-template": "ER",
  "ec2:network-interface": "ER",
  "ec2:reserved-instances": "E",
  "ec2:route-table": "ER",
  "ec2:snapshot": "E",
  "ec2:traffic-mirror-filter-rule": "R",
  "ecr:repository": "ER",
  "ecs:capacity-provider": "ER",
  "ecs:cluster": "ER",
  "ecs:service": "ER",
  "ecs:task": "-",
  "ecs:task-definition": "ER",
  "ecs:task-set": "ER",
  "eks:cluster": "ER",
  "elasticache:cluster": "ER",
  "elasticache:replicationgroup": "R",
  "elasticfilesystem:access-point": "R",
  "elasticfilesystem:file-system": "ER",
  "es:ALL_SUPPORTED": "E",
  "es:domain": "E",
  "kafka:cluster": "-",
  "macie2:ALL_SUPPORTED": "E",
  "rds:ALL_SUPPORTED": "ER",
  "rds:cluster": "R",
  "rds:cluster-endpoint": "E",
  "rds:cluster-pg": "E",
  "rds:db": "R",
  "rds:db-proxy": "ER",
  "rds:db-proxy-endpoint": "ER",
  "rds:es": "ER",
  "rds:og": "ER",
  "rds:pg": "ER",
  "rds:ri": "E",
  "rds:secgrp": "ER",
  "rds:subgrp": "ER",
  "rds:target-group": "ER",
  "redshift:cluster": "ER",
  "redshift:eventsubscription": "ER",
  "redshift:parametergroup": "ER",
  "redshift:snapshot": "E",
  "redshift:subnetgroup": "ER",
  "route53:healthcheck": "R",
  "route53:hostedzone": "ER",
  "s3:ALL_SUPPORTED": "ER",
  "s3:accesspoint": "R",
  "s3:bucket": "ER",
  "s3:storage-lens": "ER",
  "secretsmanager:ALL_SUPPORTED": "ER",
  "secretsmanager:secret": "ER",
  "sms-voice:ALL_SUPPORTED": "E",
  "sns:topic": "ER",
  "sqs:queue": "ER",
};

/** The types of Personalize of which AWS reports a missing key. None is enforceable, and `ALL_SUPPORTED` names none of them. */
export const REPORTED_TYPES: readonly ResourceType[] = ["dataset", "dataset-group", "solution"];
const PERSONALIZE = Object.fromEntries([
  ...["personalize:ALL_SUPPORTED", "personalize:schema"].map((row) => [row, "-"] as const),
  ...RESOURCE_TYPE_NAMES.map((type) => [tagPolicyType(type), REPORTED_TYPES.includes(type) ? "R" : "-"] as const),
]);

const SUPPORT: ReadonlyMap<string, Support> = new Map(
  Object.entries({ ...ROWS, ...PERSONALIZE }).map(([type, row]) => [
    type.toLowerCase(),
    { enforced_for: row.includes("E"), report_required_tag_for: row.includes("R") },
  ]),
);

/** How a tag policy names a type of Personalize: `personalize:dataset-group`. */
export function tagPolicyType(type: ResourceType): string {
  return `personalize:${type}`;
}

/** What AWS supports for a type, or for `service:ALL_SUPPORTED`; null: not known here. Lists of AWS differ in case: it does not count. */
export function supportOf(type: string): Support | null {
  return SUPPORT.get(type.toLowerCase()) ?? null;
}

/** Whether a list of a setting covers a type: by its name, or by all of its service, where AWS supports that. */
export function covers(list: readonly string[], type: string, setting: TypeSetting): boolean {
  const all = `${type.split(":")[0] ?? ""}:${ALL}`;
  const hasName = list.some((item) => item.toLowerCase() === type.toLowerCase());
  const hasAll = list.some((item) => normalType(item).toLowerCase() === all.toLowerCase());
  return (hasName && supports(type, setting)) || (hasAll && supports(type, setting) && supports(all, setting));
}

/** Types of Personalize that a list makes AWS report when the key is missing, in alphabetical order. */
export function requiredPersonalizeTypes(list: readonly string[]): ResourceType[] {
  return REPORTED_TYPES.filter((type) => covers(list, tagPolicyType(type), "report_required_tag_for"));
}

/** The form that AWS has for all types of a service, in place of the older `service:*`. */
export function normalType(item: string): string {
  return item.replace(/:\*$/, `:${ALL}`);
}

/** What is not known is believed. */
function supports(type: string, setting: TypeSetting): boolean {
  return supportOf(type)?.[setting] ?? true;
}

const SHAPE = /^[a-z0-9-]+:(?:\*|[A-Za-z0-9][A-Za-z0-9._/-]*)$/;

/** Why AWS would refuse an item of a list of types, as the end of a sentence; null when its form is right. */
export function typeProblem(item: string): string | null {
  if (item === "*" || item.startsWith("*:")) return "names every service, which no policy can";
  if (!item.includes(":")) return "has no type: it should be like `ec2:instance` or `ec2:ALL_SUPPORTED`";
  if (!SHAPE.test(item)) return "is not of the form `service:type`";
  const [, type = ""] = item.split(":");
  return type !== ALL && type.toUpperCase() === ALL ? `has \`${ALL}\` not in capitals` : null;
}
