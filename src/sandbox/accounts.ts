import { hashText, mix } from "./hash.ts";
import type { Tags } from "./resource.ts";

/** An account of the emulated organization. */
export type SandboxAccount = {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly state: "ACTIVE" | "SUSPENDED";
  /** Name of the organizational unit that it lies in; null: directly under the root. */
  readonly unit: string | null;
  readonly joined_at: Date;
  /** Tags of the account itself, as the organization keeps them. */
  readonly tags: Tags;
};

/** Role that exists in every active account and that every caller of the organization may assume. */
export const ROLE_NAME = "TagwardenAudit";

/** Another role in every active account, which is always as usual and may do everything. */
export const REPAIR_ROLE_NAME = "TagwardenRepair";

/** Management account: dummy access keys belong to it. */
export const MANAGEMENT_ACCOUNT_ID = "111122223333";

/** The units that lie under another one; all others lie under the root. */
export const UNIT_PARENTS: Readonly<Record<string, string>> = {
  Production: "Workloads",
  Staging: "Workloads",
  Development: "Workloads",
};

const UNITS = ["Production", "Staging", "Development", "Shared"] as const;
const WORKLOADS = [
  "storefront",
  "streaming",
  "marketing",
  "search",
  "mobile",
  "marketplace",
  "partners",
  "loyalty",
] as const;
const STAGES = ["prod", "staging", "dev", "shared"] as const;
/** Ids of the first members; one begins with a zero, which clients that take ids for numbers lose. */
const FIRST_IDS = ["222233334444", "012345678901", "333344445555", "444455556666", "555566667777", "666677778888"];

/** The accounts of the organization, the management account first, then the members, then the suspended ones. */
export function organizationAccounts(members: number, suspended: number): SandboxAccount[] {
  const joined_at = new Date("2023-02-01T09:00:00Z");
  const management: SandboxAccount = {
    id: MANAGEMENT_ACCOUNT_ID,
    name: "management",
    email: "aws-management@example.com",
    state: "ACTIVE",
    unit: null,
    joined_at,
    tags: new Map([
      ["CostCenter", "CC-0001"],
      ["Environment", "shared"],
      ["Owner", "platform@example.com"],
    ]),
  };
  const others = Array.from({ length: members + suspended }, (_, index): SandboxAccount => {
    const gone = index >= members;
    const name = gone ? `retired-lab-${index - members + 1}` : memberName(index);
    return {
      id: memberId(index),
      name,
      email: `aws-${name}@example.com`,
      state: gone ? "SUSPENDED" : "ACTIVE",
      unit: gone ? "Suspended" : (UNITS[index % UNITS.length] ?? null),
      joined_at: new Date(joined_at.getTime() + (index + 1) * 9 * 86_400_000),
      tags: memberTags(index),
    };
  });
  return [management, ...others];
}

function memberName(index: number): string {
  const workload = WORKLOADS[Math.floor(index / STAGES.length) % WORKLOADS.length] ?? "";
  const round = Math.floor(index / (STAGES.length * WORKLOADS.length));
  return `${workload}-${STAGES[index % STAGES.length] ?? ""}${round === 0 ? "" : `-${round + 1}`}`;
}

/** Whoever opens an account tags it, and one in seven has no cost center. */
function memberTags(index: number): Tags {
  const workload = Math.floor(index / STAGES.length) % WORKLOADS.length;
  const center: [string, string][] = index % 7 === 5 ? [] : [["CostCenter", `CC-${1000 + workload * 110}`]];
  return new Map([
    ...center,
    ["Environment", STAGES[index % STAGES.length] ?? ""],
    ["Owner", `${WORKLOADS[workload] ?? ""}@example.com`],
  ]);
}

function memberId(index: number): string {
  const first = FIRST_IDS[index];
  if (first !== undefined) return first;
  // The low digits count, so ids differ whatever the hash is; 7 as first digit keeps them apart from those above.
  return `7${String(mix(hashText("account"), index) % 1_000_000).padStart(6, "0")}${String(index).padStart(5, "0")}`;
}
