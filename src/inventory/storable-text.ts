/**
 * A text as PostgreSQL can store it: NUL characters and halves of surrogate pairs become `�`. One of them in the answer of a
 * service would otherwise have the whole unit refused.
 */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\uFFFD");
}
