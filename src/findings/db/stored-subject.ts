import type { Database } from "../../db/client.ts";
import { loadSurroundings, type Wanted } from "../../inventory/db/surroundings.ts";
import type { Resource } from "../../inventory/resource.ts";
import type { Subject } from "../../policy/subject.ts";
import { loadKnown } from "./known.ts";

/** A resource of the inventory as it can be judged; or why it cannot. */
export type StoredSubject =
  | { readonly subject: Subject; readonly tags_read_at: Date | null }
  | { readonly missing: "unknown" | "gone" | "never_read" };

/** The stored resource of this ARN, with what is wanted of its surroundings. */
export async function storedSubject(
  database: Database,
  arn: string,
  wanted: Wanted,
  now: Date,
): Promise<StoredSubject> {
  const resource = (await loadKnown(database, [arn])).get(arn)?.resource ?? null;
  if (resource === null) return { missing: "unknown" };
  if (resource.gone_at !== null) return { missing: "gone" };
  if (resource.tags === null) return { missing: "never_read" };
  const around = (await loadSurroundings(database, [resource], wanted)).get(arn);
  return {
    subject: { resource: resourceOf(resource), tags: resource.tags, now, ...(around && { around }) },
    tags_read_at: resource.tags_read_at,
  };
}

/** The resource alone, without what else is stored beside it, such as its tags: a subject may be printed. */
function resourceOf(stored: Resource): Resource {
  const { arn, account_id, region, type, name, status, created_at, updated_at, summary } = stored;
  return { arn, account_id, region, type, name, status, created_at, updated_at, summary };
}
