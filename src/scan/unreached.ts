import type { UnitReading } from "../inventory/aws/read-unit.ts";
import type { ReadError, Target } from "../inventory/resource.ts";

/** A warning for an account that cannot be entered; the same for all its regions. */
export function unenteredWarning({ account_id }: Target, { name, message }: ReadError): string {
  return `Account ${account_id} could not be entered, so nothing of it was read (${name}: ${message}). Try: tagwarden targets --check --accounts ${account_id}`;
}

/** A warning for a target of which no list answered, when its readings are over; null: some did. */
export function unansweredWarning({ account_id, region }: Target, readings: Iterable<UnitReading>): string | null {
  const outcomes = [...readings].map((reading) => reading.outcome());
  const errors = outcomes.map(({ state, error }) => (state === "failed" || state === "denied" ? error : null));
  const [first] = errors;
  if (!first || errors.includes(null)) return null;
  return `Nothing answered in ${region} of account ${account_id} (${first.operation}: ${first.name}: ${first.message}). Try: tagwarden targets --check --accounts ${account_id} --regions ${region}`;
}
