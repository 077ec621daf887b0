/** Characters of a key, from the Personalize service model (TagKey). */
export const MAX_KEY_LENGTH = 128;
/** Characters of a value, from the Personalize service model (TagValue). An empty value is legal. */
export const MAX_VALUE_LENGTH = 256;
/** User tags of a resource; `aws:` tags are not counted. Source: Personalize developer guide, "Managing tags". */
export const MAX_USER_TAGS = 50;

/** Letters, separators, numbers and `_.:/=+-@`: the pattern of the service model. No combining marks, no emoji. */
const LEGAL = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const ILLEGAL_CHARACTER = /[^\p{L}\p{Z}\p{N}_.:/=+\-@]/u;

/** Whether AWS keeps this key for itself. `AWS:` and `Aws:` count too: AWS refuses them, and nobody needs them. */
export function isReserved(key: string): boolean {
  // Looks at one character first: this runs for every tag of every resource.
  const first = key.charCodeAt(0);
  return (first === 97 || first === 65) && key.slice(0, 4).toLowerCase() === "aws:";
}

/** Why a person cannot set this key, as the end of a sentence (`is empty`); null when it is legal. */
export function keyProblem(key: string): string | null {
  if (key === "") return "is empty";
  return textProblem(key, MAX_KEY_LENGTH);
}

/** Why a tag cannot have this value, as the end of a sentence; null when it is legal. The empty value is. */
export function valueProblem(value: string): string | null {
  return textProblem(value, MAX_VALUE_LENGTH);
}

function textProblem(text: string, limit: number): string | null {
  const length = Array.from(text).length;
  if (length > limit) return `has ${length} characters, AWS allows ${limit}`;
  if (isReserved(text)) return "begins with `aws:`, which AWS keeps for itself";
  if (LEGAL.test(text)) return null;
  const character = ILLEGAL_CHARACTER.exec(text)?.[0] ?? "";
  return `has the character ${JSON.stringify(character)}; AWS allows letters, numbers, spaces and _ . : / = + - @`;
}
