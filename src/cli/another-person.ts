import { UsageError } from "../config.ts";
import { explainRefusal } from "../remediation/refusal.ts";
import { isSamePerson } from "../remediation/store.ts";

/**
 * Throws UsageError where whoever runs the command is not known to be another person than who asked for the plan: who asked with AWS
 * credentials, and comes without them now, goes by another name and is the same.
 */
export function mustBeAnother(created_by: string, actor: string, id: string): void {
  if (isSamePerson(created_by, actor)) throw new UsageError(explainRefusal("same_person", id));
  if (created_by.startsWith("arn:") && !actor.startsWith("arn:")) {
    throw new UsageError(
      `Plan ${id} was made by ${created_by}, and without AWS credentials that work nobody can tell whether ${actor} is another person. Set them, and try again.`,
    );
  }
}
