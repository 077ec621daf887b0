import { InvalidArgumentError } from "commander";
import { z } from "zod";
import { UsageError } from "../config.ts";
import { didYouMean } from "../policy/parse.ts";

/** Fields whose option has another name. */
const OPTION_NAMES: Record<string, string> = {
  policy_id: "policy",
  rule_id: "rule",
  starts_at: "starts",
  expires_at: "expires",
};

/** What options say, by the form of an exemption's fields. Throws UsageError with every problem, one a line: `--option: what`. */
export function checkedOptions<Shape extends z.ZodRawShape>(
  shape: Shape,
  words: Readonly<Record<string, unknown>>,
): z.infer<z.ZodObject<Shape>> {
  const given = Object.fromEntries(Object.entries(words).filter(([, value]) => value !== undefined));
  const result = z.strictObject(shape).safeParse(given);
  if (result.success) return result.data;
  throw new UsageError(result.error.issues.map((issue) => explain(issue, given)).join("\n"));
}

function explain(issue: z.core.$ZodIssue, given: Readonly<Record<string, unknown>>): string {
  const [field = "", step] = issue.path;
  const option = `--${(OPTION_NAMES[String(field)] ?? String(field)).replaceAll("_", "-")}`;
  const value = given[String(field)];
  const item: unknown = step === undefined ? value : (value as Record<PropertyKey, unknown>)[step];
  const about =
    step === undefined ? option : `${option}: ${typeof step === "number" ? JSON.stringify(item) : String(step)}`;
  if (issue.code !== "invalid_value") return `${about}${step === undefined ? ":" : ""} ${issue.message}.`;
  return `${option}: cannot be ${JSON.stringify(item)}. ${didYouMean(String(item), issue.values.map(String))}`;
}

/** Reads a list. */
export function listOption(text: string): string[] {
  const items = text.split(",").map((item) => item.trim());
  if (items.includes("")) throw new InvalidArgumentError("Give a list like a,b.");
  return items;
}

/** Reads a number of days. */
export function daysOption(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) <= 180) return Number(text);
  throw new InvalidArgumentError("Give a whole number of days from 0 to 180.");
}
