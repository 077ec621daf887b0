import { RE2JS } from "re2js";

/** Size of a compiled expression, in instructions: 256 characters are matched in milliseconds at this size. */
const MAX_PATTERN_SIZE = 2_000;
/** Answers remembered for each question: resources share few keys and values. */
const REMEMBERED = 10_000;

/**
 * Prepares an RE2 expression, matched in time linear in the text: `whole`, it has to match the whole text; `find`, any part.
 * @throws {Error} with a printable message when it is not one, or too large.
 */
export function compilePattern(pattern: string, extent: "whole" | "find" = "whole"): (text: string) => boolean {
  const expression = RE2JS.compile(pattern);
  if (expression.programSize() > MAX_PATTERN_SIZE) throw new Error("too large once its repetitions are written out");
  return remembering((text) => (extent === "whole" ? expression.testExact(text) : expression.test(text)));
}

/** Remembers the answers of a pure question, so many at most. */
export function remembering<Answer extends boolean | number | null>(
  ask: (text: string) => Answer,
): (text: string) => Answer {
  const answers = new Map<string, Answer>();
  return (text) => {
    const known = answers.get(text);
    if (known !== undefined) return known;
    const answer = ask(text);
    if (answers.size >= REMEMBERED) answers.clear();
    answers.set(text, answer);
    return answer;
  };
}
