import { anyWildcard } from "../policy/wildcard.ts";

/** Which of a plan's resources an approval is about: ARNs, or patterns in which `*` stands for any characters. */
export type Choice = {
  readonly only?: readonly string[] | undefined;
  readonly without?: readonly string[] | undefined;
};

/** Whether an approval is about a resource; null: it is about all of them. `problems`: the choice cannot be meant, for these reasons. */
export function chosenOf(
  { only, without }: Choice,
  arns: readonly string[],
): { readonly about: ((arn: string) => boolean) | null } | { readonly problems: readonly string[] } {
  if (only === undefined && without === undefined) return { about: null };
  const problems = [...(only ?? []), ...(without ?? [])]
    .filter((pattern) => !arns.some(anyWildcard([pattern])))
    .map((pattern) => `${pattern}: no resource that waits in this plan.`);
  const [isIn, isOut] = [only && anyWildcard(only), without && anyWildcard(without)];
  const about = (arn: string) => (isIn?.(arn) ?? true) && !isOut?.(arn);
  if (problems.length === 0 && !arns.some(about))
    problems.push("Nothing would be left of the plan: reject it instead.");
  return problems.length > 0 ? { problems } : { about };
}
