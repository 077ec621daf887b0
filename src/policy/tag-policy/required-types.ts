import { RESOURCE_TYPE_NAMES, type ResourceType } from "../../inventory/resource-types.ts";

/** The condition of our policies by which a key is required of these types only. */
export function requiredCondition(types: readonly ResourceType[]): string {
  return `resource.type in [${types.map((type) => `'${type}'`).join(", ")}]`;
}

/** The types of such a condition; null for any other, which a tag policy cannot say. */
export function typesOfCondition(condition: string): ResourceType[] | null {
  const [, list] = /^\s*resource\.type\s+in\s*\[([^\]]*)\]\s*$/.exec(condition) ?? [];
  const [, single] = /^\s*resource\.type\s*==\s*(.*?)\s*$/.exec(condition) ?? [];
  const words = list?.split(",") ?? (single === undefined ? [] : [single]);
  const types = words.map((word) => /^\s*(["'])([a-z-]+)\1\s*$/.exec(word)?.[2]);
  const known = RESOURCE_TYPE_NAMES.filter((type) => types.includes(type));
  const all: readonly (string | undefined)[] = RESOURCE_TYPE_NAMES;
  return types.length > 0 && types.every((type) => all.includes(type)) ? known : null;
}
