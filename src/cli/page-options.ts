import { InvalidArgumentError } from "commander";
import { UsageError } from "../config.ts";
import { PageTokenError } from "../reports/page.ts";

const LARGEST = 500;

/** Reads `--page-size`. */
export function pageSizeOption(text: string): number {
  const size = Number(text);
  if (/^\d+$/.test(text) && size >= 1 && size <= LARGEST) return size;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${LARGEST}.`);
}

/** For a page that could not be had: throws UsageError where it is because of `--page-token`, else what was thrown. */
export function explainPageToken(error: unknown): never {
  if (!(error instanceof PageTokenError)) throw error;
  throw new UsageError(`--page-token: ${error.message}. Without it comes the first page.`);
}
