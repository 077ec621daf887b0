import { RESOURCE_TYPE_NAMES, type ResourceType } from "../inventory/resource-types.ts";
import type { Policy } from "./policy.ts";
import { anyWildcard } from "./wildcard.ts";

type Scope = Policy["applies_to"];

/** The types that a scope lets through. */
export function typesIn({ types }: Scope): ResourceType[] {
  return types === undefined ? RESOURCE_TYPE_NAMES : RESOURCE_TYPE_NAMES.filter(anyWildcard(types));
}

/** Whether some resource may be in both scopes. Conditions are not looked at, so this says yes too often and never no too often. */
export function mayOverlap(one: Scope, other: Scope): boolean {
  const types = new Set(typesIn(one));
  return (
    typesIn(other).some((type) => types.has(type)) &&
    patternsMayMeet(one.accounts, other.accounts) &&
    patternsMayMeet(one.regions, other.regions) &&
    patternsMayMeet(one.names, other.names)
  );
}

function patternsMayMeet(some: readonly string[] | undefined, others: readonly string[] | undefined): boolean {
  if (some === undefined || others === undefined) return true;
  return some.some((one) => others.some((other) => mayMeet(one, other)));
}

/** Two patterns with wildcards may meet unless the texts at their ends speak against it. */
function mayMeet(one: string, other: string): boolean {
  if (!one.includes("*")) return anyWildcard([other])(one);
  if (!other.includes("*")) return anyWildcard([one])(other);
  const [head = "", tail = ""] = endsOf(one);
  const [otherHead = "", otherTail = ""] = endsOf(other);
  return (
    (head.startsWith(otherHead) || otherHead.startsWith(head)) && (tail.endsWith(otherTail) || otherTail.endsWith(tail))
  );
}

function endsOf(pattern: string): string[] {
  return [pattern.slice(0, pattern.indexOf("*")), pattern.slice(pattern.lastIndexOf("*") + 1)];
}
