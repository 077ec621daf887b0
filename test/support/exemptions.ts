import { eq, sql } from "drizzle-orm";
import type { Database } from "../../src/db/client.ts";
import { type Asked, type Scope, scopeOf } from "../../src/exemptions/exemption.ts";
import { exemptions } from "../../src/exemptions/schema.ts";
import { createExemption } from "../../src/exemptions/store.ts";

/** What someone asks for: an exemption of a scope for a day, from now on. */
export function askedFor(scope: Partial<Scope>, more: Partial<Asked> = {}): Asked {
  return {
    ...scopeOf(scope),
    reason: "legacy, replaced in spring",
    ticket: "GOV-12",
    requested_by: "ana@example.com",
    approved_by: "bo@example.com",
    starts_at: null,
    expires_at: new Date(Date.now() + 86_400_000),
    ...more,
  };
}

/** Exempts a scope through the API from now on; returns the exemption's id. */
export async function exemptNow(database: Database, scope: Partial<Scope>, more: Partial<Asked> = {}): Promise<string> {
  const decided = await createExemption(database, askedFor(scope, more), { source: "api", actor: "ana@example.com" });
  if (decided.outcome !== "done") throw new Error(JSON.stringify(decided));
  return decided.exemption.id;
}

/** Lets an exemption have expired a moment ago, by the clock of the database. Nothing else is touched. */
export async function expireNow(database: Database, id: string): Promise<void> {
  await database
    .update(exemptions)
    .set({ starts_at: sql`now() - interval '1 hour'`, expires_at: sql`now() - interval '1 millisecond'` })
    .where(eq(exemptions.id, id));
}
