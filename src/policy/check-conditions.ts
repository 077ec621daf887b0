import { type Complaint, childOf, isRecord } from "./complaint.ts";
import { compileCondition, ConditionError } from "./condition.ts";
import type { Path } from "./parse.ts";
import { MAX_RULES } from "./policy.ts";

/** What YAML 1.1 took for true or false, and 1.2 takes for text. */
const ALMOST_BOOLEAN = ["yes", "no", "on", "off", "True", "False", "TRUE", "FALSE"];

/** Every condition of a file that is no expression, or does not say true or false, at its place within the text. */
export function checkConditions(value: unknown): Complaint[] {
  if (!isRecord(value)) return [];
  const rules = Array.isArray(value["rules"]) ? value["rules"].slice(0, MAX_RULES) : [];
  const places: Path[] = [
    ["applies_to", "where"],
    ["managed"],
    ...rules.flatMap((_, index) => ["required", "assert"].map((field) => ["rules", index, field])),
  ];
  return places.flatMap((at) => {
    const text = at.reduce((found: unknown, step) => childOf(found, step), value as unknown);
    if (typeof text !== "string" || text === "") return [];
    if (at.at(-1) === "required" && ALMOST_BOOLEAN.includes(text))
      return [{ at, message: "`required` must be true, false, or a condition" }];
    return complaintsOf(text, at, compileCondition);
  });
}

/** What an expression is refused for, at its place. */
export function complaintsOf(text: string, at: Path, compile: (text: string) => unknown): Complaint[] {
  try {
    compile(text);
    return [];
  } catch (error) {
    if (!(error instanceof ConditionError)) throw error;
    const name = `\`${String(at.at(-1))}\``;
    return [
      {
        at,
        offset: error.start,
        message: `${name}: ${error.message}`,
        ...(error.hint !== undefined && { hint: error.hint }),
      },
    ];
  }
}
