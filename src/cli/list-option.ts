import { UsageError } from "../config.ts";

/** Reads `a,b` of an option. */
export function listOption(text: string): string[] {
  const items = text.split(",").map((item) => item.trim());
  if (items.some((item) => item === ""))
    throw new UsageError(`${JSON.stringify(text)} has an empty item: give a list like a,b.`);
  return items;
}
