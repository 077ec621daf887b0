/** A run that has not said for so long that it lives is dead: another one may take its plan. Milliseconds, by the database's clock. */
export const LEASE_MS = 10_000;
