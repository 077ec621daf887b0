import { NOT_LOOKED_UP } from "../inventory/surroundings.ts";
import { isReserved } from "../tags/limits.ts";
import { tagValue } from "../tags/tags.ts";
import type { Look } from "./facts.ts";
import type { Subject } from "./subject.ts";

/** A tag of another resource on which a decision rests: read anew before anything is written. `value` null: it has none. */
export type ReadFrom = { readonly arn: string; readonly key: string; readonly value: string | null };

/** Keeps what a decision about one subject looks at, each key once, in the order in which it was asked for. */
export class Looks {
  /** Keys of the subject itself. */
  readonly own = new Set<string>();
  readonly #above = new Map<string, ReadFrom>();
  readonly #subject: Subject;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  /** Tags of resources above the subject. */
  get above(): ReadFrom[] {
    return [...this.#above.values()];
  }

  readonly look: Look = (arn, key) => {
    if (arn === null) this.own.add(key);
    else this.lookAbove(arn, key);
  };

  /** Keeps what is looked at above the subject, and not what is of the subject itself. */
  readonly lookAbove: Look = (arn, key) => {
    // No expression sees a tag of AWS, so none rests on it.
    if (arn === null || isReserved(key)) return;
    const { ancestors } = (this.#subject.around ?? NOT_LOOKED_UP).lineage;
    const tags = ancestors.find((one) => one.arn === arn)?.tags;
    this.#above.set(`${arn} ${key}`, { arn, key, value: (tags && tagValue(tags, key)) ?? null });
  };
}
