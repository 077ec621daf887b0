import type { Candidate } from "./merge-fixes.ts";

/** Which candidates would write to a key that others fight us over, and which would not. */
export function apart(
  candidates: readonly Candidate[],
  fights: readonly string[],
): { fought: { candidate: Candidate; key: string }[]; free: Candidate[] } {
  const fought: { candidate: Candidate; key: string }[] = [];
  const free: Candidate[] = [];
  for (const candidate of candidates) {
    const key = foughtKey({ changes: candidate.fix.changes, reasons: [candidate.finding] }, fights);
    if (key === null) free.push(candidate);
    else fought.push({ candidate, key });
  }
  return { fought, free };
}

/** The key of an action that others fight us over: one that it writes, or one of which its findings are; null: none. */
export function foughtKey(
  { changes, reasons }: { readonly changes: readonly { key: string }[]; readonly reasons: readonly { key: string }[] },
  fights: readonly string[],
): string | null {
  return [...changes, ...reasons].find(({ key }) => fights.includes(key))?.key ?? null;
}

/** Why nothing is written to a key that others fight us over. */
export function whyFought(key: string): string {
  return `our repair of ${key} was reverted twice within 7 days: it is left alone until a person ends the fight (tagwarden fights end)`;
}
