/** Fields that say nothing when they have this value. */
const USUAL: Readonly<Record<string, unknown>> = { severity: "medium", remediation: "plan" };

/** Why a tag policy cannot say it; for fields that are not here there is nothing more to say than that. */
const REASONS: Readonly<Record<string, string>> = {
  accounts: "a tag policy counts in the accounts below where it is attached",
  names: "a tag policy counts for resources of every name",
  regions: "a tag policy counts in every region",
  types: "spelling and values count for every type of every service; only required keys have types",
  where: "a tag policy counts for every resource",
  fix: "AWS repairs no tags",
  remediation: "AWS repairs no tags",
  max_tags: "AWS counts no tags but by its own limit",
};

/**
 * Tells of every field of a policy or a rule that says something and is none of `said`; of an object within it, such as `fix`, of
 * each of its fields. Whatever the language may have one day, nothing of it is left out unseen.
 */
export function tellUnsaid(part: object, said: readonly string[], tell: (field: string, reason: string) => void): void {
  for (const [field, value] of Object.entries(part)) {
    if (said.includes(field) || isSilent(field, value)) continue;
    if (!isObject(value)) tell(field, reasonFor(field));
    else
      for (const [inner, held] of Object.entries(value)) {
        if (!isSilent(inner, held)) tell(`${field}.${inner}`, reasonFor(field, inner));
      }
  }
}

function reasonFor(field: string, inner = ""): string {
  return REASONS[inner] ?? REASONS[field] ?? "a tag policy has no such field";
}

function isSilent(field: string, value: unknown): boolean {
  if (isObject(value)) return Object.entries(value).every(([inner, held]) => isSilent(inner, held));
  return value === undefined || value === false || value === "review" || value === USUAL[field];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
