import type { PlanRefusal } from "./store.ts";

/** Why something cannot be done with a plan, and what to do, for a person. */
export function explainRefusal(refusal: PlanRefusal, id: string): string {
  switch (refusal) {
    case "not_found":
      return `There is no plan ${JSON.stringify(id)} in this database. List them: tagwarden plans list`;
    case "same_person":
      return `Plan ${id} has to be approved by another person than the one who asked for it (remediation.approval.by in tagwarden.yaml). Whoever that is runs: tagwarden plans approve ${id}`;
    case "already_approved":
      return `Plan ${id} is approved as a whole already: no part of it can be left out any more. Reject it, unless it was begun: tagwarden plans reject ${id}`;
    case "not_approved":
      return `Plan ${id} is not approved. Look at it: tagwarden plans show ${id}`;
    case "rejected":
      return `Plan ${id} was rejected. Make a new one: tagwarden plan`;
    case "expired":
      return `Plan ${id} has expired: what it was decided on is old. Make a new one: tagwarden plan`;
    case "hash_differs":
      return `Plan ${id} is not what was approved: its hash differs. Nothing was written. Make a new one: tagwarden plan`;
    case "in_progress":
      return `Plan ${id} is being applied, or was begun. See how far it is: tagwarden plans show ${id}`;
    case "not_asked":
      return `Nobody asks any longer that plan ${id} is applied. See what became of it: tagwarden plans show ${id}`;
    case "paused":
      return "Repairs are paused. Nothing was written. Let them go on: tagwarden resume";
    case "already_applied":
      return `Plan ${id} was already applied. See what became of it: tagwarden plans show ${id}`;
    default:
      return refusal satisfies never;
  }
}
