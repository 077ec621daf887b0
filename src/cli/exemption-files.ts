import type { FileExemption } from "../exemptions/check.ts";
import { loadExemptions } from "../exemptions/load.ts";
import { loadPolicies, PolicyError, printedProblem } from "../policy/load.ts";
import { EXIT } from "./exit.ts";

const DAY_MS = 86_400_000;

type CheckOptions = { json?: boolean; failOnExpiring?: number };

/** Checks the files of exemptions of a folder. Returns the exit code; throws PolicyError where they are not valid. */
export async function checkFiles(folder: string, options: CheckOptions, now: Date): Promise<number> {
  const out = (text: string) => process.stdout.write(`${text}\n`);
  const policies = await knownPolicies(folder);
  try {
    const { entries, warnings } = await loadExemptions(folder, { policies, now });
    const expiring = entries.filter((entry) => endsWithin(entry, options.failOnExpiring ?? 0, now));
    if (options.json) {
      out(
        JSON.stringify(
          { valid: true, exemptions: entries.length, expiring: expiring.map(({ id }) => id), problems: [], warnings },
          null,
          2,
        ),
      );
    } else {
      for (const warning of warnings) out(printedProblem(warning));
      for (const { file, line, id, expires_at } of expiring)
        out(`${file}:${line}: \`${id}\` ends at ${expires_at.toISOString()}`);
      out(`valid: ${entries.length} ${entries.length === 1 ? "exemption" : "exemptions"}`);
    }
    return expiring.length > 0 ? EXIT.no : EXIT.done;
  } catch (error) {
    if (!options.json || !(error instanceof PolicyError)) throw error;
    out(JSON.stringify({ valid: false, exemptions: 0, expiring: [], problems: error.problems, warnings: [] }, null, 2));
    return EXIT.usage;
  }
}

/** Policies that are not valid are told of by `policies validate`; here they are only what exemptions are about. */
async function knownPolicies(folder: string) {
  try {
    return (await loadPolicies(folder)).policies;
  } catch (error) {
    if (error instanceof PolicyError) return null;
    throw error;
  }
}

function endsWithin({ expires_at }: FileExemption, days: number, now: Date): boolean {
  return expires_at > now && expires_at.getTime() <= now.getTime() + days * DAY_MS;
}
