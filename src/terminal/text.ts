/**
 * Text from outside made harmless for a terminal: control characters (escape sequences begin with one), line separators and
 * characters that reorder or hide what stands beside them become `�`.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu, "�");
}

/** Columns that a text takes on a terminal: East Asian wide characters and emoji take two, combining marks none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{M}/u.test(character)) continue;
    width +=
      /[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return width;
}

/** A text in exactly so many columns: filled with spaces, or cut with `…` at its end or, for what differs at both ends, in its middle. */
export function fit(
  text: string,
  width: number,
  options: { align?: "left" | "right"; cut?: "end" | "middle" } = {},
): string {
  const short = displayWidth(text) <= width ? text : cut(text, width, options.cut ?? "end");
  const space = " ".repeat(Math.max(0, width - displayWidth(short)));
  return options.align === "right" ? space + short : short + space;
}

function cut(text: string, width: number, where: "end" | "middle"): string {
  if (width < 1) return "";
  const tail = where === "middle" ? takeLast(text, Math.floor((width - 1) / 2)) : "";
  return `${takeFirst(text, width - 1 - displayWidth(tail))}…${tail}`;
}

function takeFirst(text: string, width: number): string {
  let taken = "";
  let used = 0;
  for (const character of text) {
    used += displayWidth(character);
    if (used > width) break;
    taken += character;
  }
  return taken;
}

function takeLast(text: string, width: number): string {
  let taken = "";
  let used = 0;
  for (const character of Array.from(text).toReversed()) {
    used += displayWidth(character);
    if (used > width) break;
    taken = character + taken;
  }
  return taken;
}

/** Lines of words, none longer than the width unless a single word is. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
