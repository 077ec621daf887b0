import { type Answer, compileText, ConditionError, type Expression, type Needs } from "./condition.ts";
import type { Facts } from "./facts.ts";

/** A template that was taken apart. */
export type Template = {
  readonly needs: Needs;
  /** The text; null where an expression in it has no value. */
  readonly render: (facts: Facts) => Answer<string | null>;
};

/** Prepares text with CEL expressions in braces. Neither brace can be in a tag. @throws {ConditionError} with places in the text */
export function compileTemplate(text: string): Template {
  const parts: (string | Expression<string | null>)[] = [];
  let position = 0;
  for (const match of text.matchAll(/\{([^{}]*)\}/g)) {
    parts.push(literal(text, position, match.index), expression(match[1] ?? "", match.index + 1));
    position = match.index + match[0].length;
  }
  parts.push(literal(text, position, text.length));
  const expressions = parts.filter((part) => typeof part !== "string");
  return {
    needs: {
      lineage: expressions.some(({ needs }) => needs.lineage),
      account: expressions.some(({ needs }) => needs.account),
      now: expressions.some(({ needs }) => needs.now),
    },
    render: (facts) => render(parts, facts),
  };
}

function literal(text: string, start: number, end: number): string {
  const part = text.slice(start, end);
  const brace = /[{}]/.exec(part);
  if (brace) {
    const at = start + brace.index;
    throw new ConditionError(`a \`${brace[0]}\` without its partner`, { start: at, end: at + 1 });
  }
  return part;
}

function expression(text: string, offset: number): Expression<string | null> {
  try {
    return compileText(text);
  } catch (error) {
    if (!(error instanceof ConditionError)) throw error;
    const range = { start: error.start + offset, end: error.end + offset };
    throw new ConditionError(error.message, range, error.hint);
  }
}

function render(parts: readonly (string | Expression<string | null>)[], facts: Facts): Answer<string | null> {
  let text = "";
  for (const part of parts) {
    if (typeof part === "string") {
      text += part;
      continue;
    }
    const answer = part.evaluate(facts);
    if ("error" in answer || answer.value === null) return answer;
    text += answer.value;
  }
  return { value: text };
}
