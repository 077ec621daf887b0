import { tagValue, type Tags } from "./tags.ts";

const STACK_PREFIX = "aws:cloudformation:";

/**
 * The CloudFormation stack that manages a resource: its name, or what any `aws:cloudformation:` tag says; null when no
 * such tag is there. Null proves nothing: campaigns and event trackers of a stack carry no mark.
 */
export function stackOf(tags: Tags): string | null {
  const name = tagValue(tags, `${STACK_PREFIX}stack-name`);
  if (name) return name;
  const marks = Object.keys(tags).filter((key) => key.toLowerCase().startsWith(STACK_PREFIX));
  const mark = marks.sort()[0];
  return mark === undefined ? null : tags[mark] || mark;
}
