import { createHash } from "node:crypto";

/** What makes a finding the one it is. A tag's value, a message or a severity is no part of it: they change, the finding stays. */
export type FindingIdentity = {
  readonly account_id: string;
  readonly arn: string;
  readonly policy_id: string;
  readonly rule_id: string;
  /** Canonical key, exact case; "" where the rule is about the tag set. */
  readonly key: string;
};

/**
 * Identity of a finding: SHA-256, lower-case hex, over account, ARN, `policy/rule` and key. Each part is UTF-8 with its
 * length in bytes before it, 4 bytes big-endian, so that no two different tuples share a form.
 */
export function findingId({ account_id, arn, policy_id, rule_id, key }: FindingIdentity): string {
  const hash = createHash("sha256");
  for (const part of [account_id, arn, `${policy_id}/${rule_id}`, key]) {
    const bytes = Buffer.from(part, "utf8");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  }
  return hash.digest("hex");
}
