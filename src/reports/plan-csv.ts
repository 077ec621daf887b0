import type { ActionRow } from "../remediation/store.ts";
import { maskChanges } from "../remediation/mask.ts";
import { csvLines } from "./csv.ts";

const COLUMNS = [
  "position",
  "account_id",
  "region",
  "type",
  "arn",
  "key",
  "before",
  "after",
  "origin",
  "given",
  "rules",
  "protected",
  "state",
  "note",
];

/** A plan as CSV (RFC 4180): a line for each key of each resource. An empty cell is a key that is absent, `""` in quotes an empty value. */
export function planCsv(actions: readonly ActionRow[], isSensitive: (key: string) => boolean): string {
  const rows = actions.flatMap((action) => {
    const { position, account_id, region, type, arn, origins, given, state, note } = action;
    return maskChanges(action, isSensitive).map(({ key, before, after }) => {
      const origin = Object.hasOwn(origins, key) ? origins[key] : undefined;
      const rules = origin?.rules.join(" ") ?? null;
      const place = [position, account_id, region, type, arn, key];
      return [
        ...place,
        shown(before),
        shown(after),
        origin?.from ?? null,
        given.includes(key),
        rules,
        action.protected,
        state,
        note,
      ];
    });
  });
  return csvLines([COLUMNS, ...rows]);
}

function shown(value: string | null): string | null {
  return value === "" ? '""' : value;
}
