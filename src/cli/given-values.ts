import { readFile } from "node:fs/promises";
import { UsageError } from "../config.ts";
import type { GivenValue } from "../remediation/given-values.ts";
import { type ReadSheet, readSheet } from "../reports/values-sheet.ts";

/** What `--set` and `--from` give. */
type GivenOnCommandLine = ReadSheet;

/** Collects `--set KEY=VALUE`, which may come more than once. */
export function setOption(text: string, before: GivenValue[] = []): GivenValue[] {
  const end = text.indexOf("=");
  if (end < 1) {
    throw new UsageError(
      `--set ${JSON.stringify(text)}: write KEY=VALUE. A key that has a = in it can be given by --from FILE only.`,
    );
  }
  const key = text.slice(0, end);
  return [...before, { at: `--set ${key}`, arn: "*", key, value: text.slice(end + 1) }];
}

/** The values of both options; null: neither was given. Throws UsageError when the file cannot be read. */
export async function givenValues(options: { set?: GivenValue[]; from?: string }): Promise<GivenOnCommandLine | null> {
  const { set = [], from } = options;
  if (from === undefined) return set.length === 0 ? null : { values: set, empty: 0, problems: [] };
  const sheet = readSheet(from, await readText(from));
  return { ...sheet, values: [...set, ...sheet.values] };
}

async function readText(path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${path}: cannot be read (${error.code ?? error.message}).`);
  });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`${path}: is not UTF-8. In a spreadsheet, save it as "CSV UTF-8".`);
  }
}
