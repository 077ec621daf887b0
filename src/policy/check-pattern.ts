import type { Complaint } from "./complaint.ts";
import type { Path } from "./parse.ts";
import { compilePattern } from "./pattern.ts";
import type { KeyRule } from "./policy.ts";

/** A pattern that is no RE2 expression. */
export function checkPattern(pattern: string, at: Path): Complaint[] {
  try {
    compilePattern(pattern);
    return [];
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace("error parsing regexp: ", "") : String(error);
    const message = `\`pattern\` is no RE2 expression: ${reason}`;
    const hint = /\(\?[=!<]/.test(pattern)
      ? { hint: "RE2 has no look-around; see https://github.com/google/re2/wiki/Syntax." }
      : {};
    return [{ at, message, ...hint }];
  }
}

/** Whether a rule refuses some value. */
export function restricts(rule: KeyRule): boolean {
  return rule.values !== undefined || rule.pattern !== undefined || rule.format !== undefined;
}
