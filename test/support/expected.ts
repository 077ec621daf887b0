import type { Sandbox } from "../../src/sandbox/server.ts";

/** What the policies of these tests find, as counted by hand over the sandbox's own state: no code of the judge is used. */
export type Expected = { readonly arn: string; readonly rule: string; readonly key: string; readonly kind: string };

/** Counts what is wrong in the sandbox, resource by resource. */
export function expectedFindings(sandbox: Sandbox): Expected[] {
  const found: Expected[] = [];
  for (const { arn, status, tags: held } of sandbox.resources()) {
    if (status.startsWith("DELETE")) continue;
    const tags = new Map([...held].filter(([key]) => !key.startsWith("aws:")));
    const report = (rule: string, key: string, kind: string) => found.push({ arn, rule, key, kind });

    const costCenter = tags.get("CostCenter");
    if (costCenter !== undefined && !/^CC-[0-9]{4}$/.test(costCenter)) report("cost-center", "CostCenter", "invalid");
    else if (tags.has("cost-center") || tags.has("costcenter")) report("cost-center", "CostCenter", "variant");
    else if (costCenter === undefined) report("cost-center", "CostCenter", "missing");

    const environment = tags.get("Environment");
    if (environment === undefined) report("environment", "Environment", "missing");
    else if (!["dev", "staging", "prod"].includes(environment)) report("environment", "Environment", "invalid");

    for (const key of tags.keys()) {
      if (key.startsWith("temp:") || key.startsWith("tmp-")) report("leftovers", key, "forbidden");
    }
    if (tags.size > 45) report("headroom", "", "too_many");
  }
  return found.toSorted(byIdentity);
}

/** The order in which lists of findings are compared. */
export function byIdentity(one: Expected, other: Expected): number {
  const text = ({ arn, rule, key }: Expected) => `${arn}|${rule}|${key}`;
  return text(one) < text(other) ? -1 : 1;
}
