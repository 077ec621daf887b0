import { z } from "@hono/zod-openapi";
import { nearestWord } from "../tags/spelling.ts";

/** Query parameters, for API and dashboard alike: lists are given by commas or by repetition and mean "any of". */

const LIST_LIMIT = 100;
const WORD_LIMIT = 256;

/** Exactly these names: an unknown one is refused, with the nearest valid one. */
export function exactly<Shape extends z.ZodRawShape>(shape: Shape) {
  const valid = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== "unrecognized_keys") return undefined;
      const near = issue.keys.map((key) => nearestWord(key, valid)).filter((word) => word !== null);
      if (near.length > 0) return `There is no such name here. Did you mean ${near.join(", ")}?`;
      return valid.length === 0
        ? "Nothing can be given here."
        : `There is no such name here. Known: ${valid.join(", ")}.`;
    },
  });
}

/** A list of words out of a closed set. A word outside it is refused, with the nearest valid one. */
export function listOf<T extends string>(valid: readonly T[], description: string) {
  return given()
    .transform((value, context) => {
      const words = split(value, context);
      for (const word of words) {
        if ((valid as readonly string[]).includes(word)) continue;
        const near = nearestWord(word, valid);
        context.addIssue({
          code: "custom",
          message: `${JSON.stringify(word)} is not known. ${near === null ? `Known: ${valid.join(", ")}.` : `Did you mean ${near}?`}`,
        });
      }
      return words as T[];
    })
    .optional()
    .openapi({
      type: "array",
      items: { type: "string", enum: [...valid] },
      description,
      param: { style: "form", explode: false },
    });
}

/** A list of free words. `pattern` says what one may look like. */
export function listOfText(description: string, pattern?: { test: RegExp; say: string }) {
  return given()
    .transform((value, context) => {
      const words = split(value, context);
      for (const word of words) {
        if (pattern !== undefined && !pattern.test.test(word))
          context.addIssue({ code: "custom", message: pattern.say });
      }
      return words;
    })
    .optional()
    .openapi({ type: "array", items: { type: "string" }, description, param: { style: "form", explode: false } });
}

/** One free text, given once. */
export function oneText(description: string, max = WORD_LIMIT) {
  return z
    .string("give it once")
    .max(max, `may have at most ${max} characters`)
    .refine((text) => !text.includes("\u0000"), "may not contain NUL")
    .optional()
    .openapi({ description });
}

/** The page of a list. */
export const pageParameters = {
  page_size: z.coerce
    .number("has to be a whole number")
    .int("has to be a whole number")
    .min(1, "has to be at least 1")
    .optional()
    .openapi({ type: "integer", minimum: 1, default: 50, description: "At most 500: a larger number counts as 500" }),
  page_token: oneText("next_page_token of the page before, with the same filters and sort", 4096),
};

/** The filters as the answer repeats them: each as a list, those not given left out. */
export function appliedFilters(
  filters: Readonly<Record<string, string | readonly string[] | undefined>>,
): Record<string, string[]> {
  const applied: Record<string, string[]> = {};
  for (const [name, value] of Object.entries(filters)) {
    if (value === undefined) continue;
    applied[name] = typeof value === "string" ? [value] : [...value];
  }
  return applied;
}

/** What the schema of an answer names, taken from a row: a new column of a view is not published by itself. */
export function publish<Shape extends z.ZodRawShape, Row extends { [Key in keyof Shape]?: unknown }>(
  schema: z.ZodObject<Shape>,
  row: Row,
): Pick<Row, keyof Shape & keyof Row> {
  const shown: Partial<Row> = {};
  for (const key of Object.keys(schema.shape) as (keyof Shape & keyof Row)[]) if (key in row) shown[key] = row[key];
  return shown as Pick<Row, keyof Shape & keyof Row>;
}

function given() {
  const one = z.string().max(LIST_LIMIT * WORD_LIMIT);
  return z
    .union([one, z.array(one).max(LIST_LIMIT)], "has to be text")
    .refine((value) => !String(value).includes("\u0000"), "may not contain NUL");
}

function split(value: string | string[], context: z.core.$RefinementCtx): string[] {
  const words = (typeof value === "string" ? [value] : value)
    .flatMap((one) => one.split(","))
    .map((word) => word.trim());
  const unique = [...new Set(words.filter((word) => word !== ""))];
  if (unique.length === 0) context.addIssue({ code: "custom", message: "Is empty: leave it out to mean any." });
  if (unique.length > LIST_LIMIT) context.addIssue({ code: "custom", message: `At most ${LIST_LIMIT} values.` });
  return unique;
}
