import type { RecordedPage } from "../inventory/aws/lookup-events.ts";
import type { ChangeEvent } from "../inventory/change-event.ts";

/** Who is looked for: the last one who wrote tags of a resource after an instant, and not later than another. */
export type Wanted = { readonly id: string; readonly arn: string; readonly after: Date; readonly until: Date };

/** A time that is looked at as a whole. */
export type Span = { readonly after: Date; readonly until: Date };

/** The calls that change tags of something that is there. */
export const TAGGING = ["TagResource", "UntagResource"];

/** Puts together whose times overlap, so that no call is looked at twice; the newest first. */
export function spans(all: readonly Wanted[]): (Span & { readonly members: readonly Wanted[] })[] {
  const found: { after: Date; until: Date; members: Wanted[] }[] = [];
  for (const one of all.toSorted((a, b) => a.after.getTime() - b.after.getTime())) {
    const last = found.at(-1);
    if (!last || last.until < one.after) found.push({ after: one.after, until: one.until, members: [one] });
    else {
      last.members.push(one);
      if (last.until < one.until) last.until = one.until;
    }
  }
  return found.toReversed();
}

/**
 * The last writer of each who is wanted, by id, from pages of recorded calls; whoever is not there has none. Reads no further than it takes
 * to know. Throws what `read` throws: then nothing is known of anyone, because what was not read may be later.
 */
export async function lastWriters(
  wanted: readonly Wanted[],
  read: (event_name: string) => AsyncIterable<RecordedPage>,
  isOurs: (call: ChangeEvent) => boolean,
): Promise<Map<string, { readonly principal: string; readonly at: Date }>> {
  const found = new Map<string, { principal: string; at: Date }>();
  for (const event_name of TAGGING) {
    for await (const { calls, oldest } of read(event_name)) {
      for (const call of calls) {
        const { principal, event_time: at } = call;
        if (principal === null || isOurs(call)) continue;
        for (const { id, arn, after, until } of wanted) {
          if (call.arn !== arn || at <= after || at > until) continue;
          const before = found.get(id);
          if (!before || before.at < at) found.set(id, { principal, at });
        }
      }
      if (oldest && wanted.every(({ id }) => (found.get(id)?.at ?? 0) >= oldest)) break;
    }
  }
  return found;
}
