import { z } from "zod";
import { keyProblem, MAX_KEY_LENGTH, MAX_VALUE_LENGTH, valueProblem } from "../tags/limits.ts";

/** A string that a database and a terminal can show: no control characters, no half of a surrogate pair. */
export function plainText(limit: number) {
  return z
    .string()
    .min(1)
    .max(limit)
    .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), "must be one line of plain text");
}

function checkedText(problem: (text: string) => string | null, limits: { minLength: number; maxLength: number }) {
  return z
    .string()
    .superRefine((text, context) => {
      const message = problem(text);
      if (message) context.addIssue({ code: "custom", message });
    })
    .meta(limits);
}

export function nonEmpty<Item extends z.ZodType>(item: Item) {
  return z.array(item).min(1);
}

/** A condition or another expression: CEL, over several lines if need be. What it says is checked in `check-conditions.ts`. */
export const condition = z.string().min(1).max(1000).meta({ description: "A CEL expression." });

/** Ids are parts of names such as `cost-allocation/owner`, so they hold no slash. */
export const id = plainText(64).regex(
  /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
  "must begin with a letter or number and hold only letters, numbers and . _ -",
);
export const tagKey = checkedText(keyProblem, { minLength: 1, maxLength: MAX_KEY_LENGTH });
export const tagText = checkedText(valueProblem, { minLength: 0, maxLength: MAX_VALUE_LENGTH });
export const keyWildcard = checkedText((text) => (text === "" ? "is empty" : keyProblem(text.replaceAll("*", "x"))), {
  minLength: 1,
  maxLength: MAX_KEY_LENGTH,
});

/** A value in which `*`, which no tag can hold, stands for any run of characters. */
export const valueWildcard = checkedText((text) => valueProblem(text.replaceAll("*", "x")), {
  minLength: 0,
  maxLength: MAX_VALUE_LENGTH,
});
