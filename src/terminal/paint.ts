/** How a word stands out. */
export type Tone = "bold" | "dim" | "green" | "red" | "yellow";

/** SGR codes of ECMA-48. */
const CODES: Record<Tone, number> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 };

/** Paints words for a terminal; without colour they stay as they are. */
export function painter(color: boolean): (tone: Tone, text: string) => string {
  return (tone, text) => (color && text !== "" ? `\u001b[${CODES[tone]}m${text}\u001b[0m` : text);
}
