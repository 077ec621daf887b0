import { type Complaint, isRecord } from "./complaint.ts";
import { OWN_POLICY_ID } from "./own-policy.ts";
import type { Path } from "./parse.ts";

/** Names over all files: ids of policies with the file that has them, rules as `policy/rule`, and former names with who claims them. */
export type NamesSeen = {
  readonly policies: ReadonlyMap<string, string>;
  readonly rules: ReadonlySet<string>;
  readonly former: Map<string, string>;
};

/** Ids that are taken, and former names that somebody else has or had. */
export function checkNames(value: unknown, path: string, names: NamesSeen): Complaint[] {
  if (!isRecord(value) || typeof value["id"] !== "string") return [];
  const { id } = value;
  const complaints: Complaint[] = [];
  const other = names.policies.get(id);
  if (other !== undefined && other !== path) {
    const hint = "Give one of them another id.";
    complaints.push({ at: ["id"], message: `the policy id \`${id}\` is taken by ${other}`, hint });
  }
  if (id === OWN_POLICY_ID) {
    const hint = "Give the policy another id.";
    complaints.push({
      at: ["id"],
      message: `the policy id \`${id}\` is kept for what Tagwarden finds by itself`,
      hint,
    });
  }
  const claim = (name: string, taken: boolean, owner: string, at: Path) => {
    const claimant = names.former.get(name);
    if (taken) complaints.push({ at, message: `\`${name}\` is in use, so it is no former name` });
    else if (name === OWN_POLICY_ID)
      complaints.push({
        at,
        message: `\`${name}\` is kept for what Tagwarden finds by itself, so it is no former name`,
      });
    else if (claimant !== undefined)
      complaints.push({ at, message: `\`${name}\` is a former name of \`${claimant}\` already` });
    else names.former.set(name, owner);
  };
  for (const [index, former] of textsIn(value["formerly"]).entries())
    claim(former, names.policies.has(former), id, ["formerly", index]);
  const rules = Array.isArray(value["rules"]) ? value["rules"] : [];
  for (const [position, rule] of rules.entries()) {
    if (!isRecord(rule) || typeof rule["id"] !== "string") continue;
    for (const [index, former] of textsIn(rule["formerly"]).entries()) {
      const name = `${id}/${former}`;
      claim(name, names.rules.has(name), `${id}/${rule["id"]}`, ["rules", position, "formerly", index]);
    }
  }
  return complaints;
}

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
