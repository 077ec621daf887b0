import { inArray } from "drizzle-orm";
import type { Database } from "../../db/client.ts";
import { openFights } from "../../findings/db/fights.ts";
import { loadSurroundings, type Wanted } from "../../inventory/db/surroundings.ts";
import { resources } from "../../inventory/schema.ts";
import { NOT_LOOKED_UP } from "../../inventory/surroundings.ts";
import { toResource } from "../load.ts";
import type { ActionRow } from "../store.ts";
import type { Undoable } from "../undo.ts";

/** How many resources are looked up at a time. */
const BATCH = 1000;

/** Actions of a plan with what is known of their resources now, in the same order. */
export async function loadUndoable(
  database: Database,
  actions: readonly ActionRow[],
  wanted: Wanted,
): Promise<Undoable[]> {
  const all: Undoable[] = [];
  for (let start = 0; start < actions.length; start += BATCH) {
    const batch = actions.slice(start, start + BATCH);
    const arns = [...new Set(batch.map(({ arn }) => arn))];
    const found = await database.select().from(resources).where(inArray(resources.arn, arns));
    const rows = new Map(found.flatMap((row) => (row.gone_at === null ? [[row.arn, row] as const] : [])));
    const around = await loadSurroundings(database, [...rows.values()], wanted);
    const fights = await openFights(database, arns);
    for (const done of batch) {
      const row = rows.get(done.arn);
      const { tags = null, tags_read_at = null, stack = null } = row ?? {};
      const stands = around.get(done.arn) ?? NOT_LOOKED_UP;
      all.push({
        done,
        resource: row ? toResource(row) : null,
        tags,
        tags_read_at,
        stack,
        around: stands,
        fights: fights.get(done.arn) ?? [],
      });
    }
  }
  return all;
}
