/**
 * Prepares patterns in which `*` stands for any run of characters, none included, and everything else for itself, exact
 * case; there is no way to mean a literal `*`, which none of the names here can hold. True if any pattern matches the whole text.
 */
export function anyWildcard(patterns: readonly string[]): (text: string) => boolean {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes("*")));
  const wild = patterns.filter((pattern) => pattern.includes("*")).map((pattern) => pattern.split("*"));
  return (text) => exact.has(text) || wild.some((parts) => matchesParts(parts, text));
}

/** Leftmost match of each part in turn: enough for `*`, and never backtracks. */
function matchesParts(parts: readonly string[], text: string): boolean {
  const first = parts[0] ?? "";
  const last = parts.at(-1) ?? "";
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let position = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, position);
    if (found < 0 || found + part.length > end) return false;
    position = found + part.length;
  }
  return position <= end;
}
