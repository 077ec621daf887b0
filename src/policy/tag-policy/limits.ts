import type { JsonNode } from "../json-text.ts";

/**
 * Limits of AWS. Sources: Organizations User Guide, "Quotas and service limits" and "Troubleshooting invalid effective policies".
 * There is none on the number of values, nor on the number of keys but by size.
 */

/** Characters of a document. The console takes white space out before it counts, other clients do not. */
export const MAX_POLICY_CHARACTERS = 10_000;
/** Characters of an effective policy. */
export const MAX_EFFECTIVE_CHARACTERS = 395_000;
/** Keys that one resource type may be required to have. */
export const MAX_REQUIRED_KEYS = 50;
/** Tag policies that one root, unit or account may have attached. */
export const MAX_ATTACHED = 10;

/** Types that more keys are required of than AWS allows; each way to name a type counts for itself. */
export function overRequired(
  required: readonly { readonly key: string; readonly types: readonly string[] }[],
): { readonly type: string; readonly keys: number }[] {
  const keysOf = new Map<string, Set<string>>();
  for (const { key, types } of required) {
    for (const type of types) keysOf.set(type, (keysOf.get(type) ?? new Set<string>()).add(key));
  }
  const counts = [...keysOf].map(([type, keys]) => ({ type, keys: keys.size }));
  return counts.filter(({ keys }) => keys > MAX_REQUIRED_KEYS);
}

/** Characters of a document without white space around its parts. */
export function compactLength(node: JsonNode): number {
  if (node.kind === "null") return 4;
  if (node.kind === "string") return charactersOf(node.text);
  if (node.kind === "list") return sequenceLength(node.items.map(compactLength));
  if (node.kind === "object")
    return sequenceLength(node.members.map(({ key, value }) => charactersOf(key) + 1 + compactLength(value)));
  return node.text.length;
}

/** Brackets around, commas between. */
function sequenceLength(lengths: readonly number[]): number {
  return lengths.reduce((sum, length) => sum + length, 2 + Math.max(0, lengths.length - 1));
}

function charactersOf(text: string): number {
  return Array.from(JSON.stringify(text)).length;
}
