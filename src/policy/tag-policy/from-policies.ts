import { RESOURCE_TYPE_NAMES } from "../../inventory/resource-types.ts";
import type { Policy } from "../policy.ts";
import { anyWildcard } from "../wildcard.ts";
import { entriesOf } from "./from-rule.ts";
import { MAX_POLICY_CHARACTERS, MAX_REQUIRED_KEYS } from "./limits.ts";
import { shown } from "./problem.ts";
import { foldKey } from "./tag-policy.ts";
import { tellUnsaid } from "./unsaid.ts";

/** Something that our policies say and a tag policy cannot, or would say differently. */
export type NotExpressible = {
  readonly policy: string;
  /** Null: a field of the policy itself. */
  readonly rule: string | null;
  readonly field: string;
  readonly reason: string;
};

/** All that an exported document says of a key. */
export type DocumentEntry = {
  readonly tag_key: { readonly "@@assign": string };
  readonly tag_value?: { readonly "@@assign": readonly string[] };
  readonly report_required_tag_for?: { readonly "@@assign": readonly string[] };
};
/** A document that can be given to Organizations. */
type TagPolicyDocument = { readonly tags: Readonly<Record<string, DocumentEntry>> };

/** What of policies a tag policy can say, and all that it cannot. */
export type Exported = { readonly document: TagPolicyDocument; readonly not_expressible: readonly NotExpressible[] };

/** Takes note of a field of a rule or of a policy. */
export type Tell = (field: string, reason: string) => void;

const POLICY_FIELDS = ["version", "id", "rules"];

/**
 * The tag policy document that says what these policies say: spelling, values with one `*` at most, prohibited keys and, for three
 * types of Personalize, required keys. Of a key that several rules are about, the first counts.
 */
export function tagPolicyFrom(policies: readonly Policy[]): Exported {
  const not_expressible: NotExpressible[] = [];
  const document = new Assembly();
  for (const policy of policies) {
    const tell = (rule: string | null): Tell => {
      return (field, reason) => not_expressible.push({ policy: policy.id, rule, field, reason });
    };
    tellUnsaid(policy, POLICY_FIELDS, tell(null));
    const types = RESOURCE_TYPE_NAMES.filter(anyWildcard(policy.applies_to.types ?? ["*"]));
    for (const rule of policy.rules) {
      const found = entriesOf(rule, types, tell(rule.id));
      for (const { field, key, entry } of found)
        document.add(key, entry, `${policy.id}/${rule.id}`, (reason) => tell(rule.id)(field, reason));
    }
  }
  return { document: document.whole(), not_expressible };
}

/** A document as it grows, within the limits of AWS. */
class Assembly {
  #tags: Record<string, DocumentEntry> = {};
  readonly #ruleOf = new Map<string, string>();
  readonly #required = new Map<string, number>();

  whole(): TagPolicyDocument {
    return { tags: this.#tags };
  }

  /** Adds what it has room for. `refuse` is told what has none. */
  add(key: string, entry: DocumentEntry, rule: string, refuse: (reason: string) => void): void {
    const other = this.#ruleOf.get(foldKey(key));
    if (other !== undefined) {
      refuse(`a tag policy has one entry for a key, and ${other} is about ${shown(key)} already`);
      return;
    }
    const grown = { ...this.#tags, [key]: this.#withinRequired(entry, refuse) };
    if (Array.from(JSON.stringify({ tags: grown })).length > MAX_POLICY_CHARACTERS) {
      refuse(`the document has no room for ${shown(key)}: AWS allows ${MAX_POLICY_CHARACTERS} characters`);
      return;
    }
    this.#tags = grown;
    this.#ruleOf.set(foldKey(key), rule);
    for (const type of grown[key]?.report_required_tag_for?.["@@assign"] ?? [])
      this.#required.set(type, (this.#required.get(type) ?? 0) + 1);
  }

  #withinRequired(entry: DocumentEntry, refuse: (reason: string) => void): DocumentEntry {
    const { report_required_tag_for, ...rest } = entry;
    const types = report_required_tag_for?.["@@assign"] ?? [];
    if (types.every((type) => (this.#required.get(type) ?? 0) < MAX_REQUIRED_KEYS)) return entry;
    refuse(`AWS lets one type be required to have ${MAX_REQUIRED_KEYS} keys, and this would be one more`);
    return rest;
  }
}
