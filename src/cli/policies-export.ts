import { type Command, Option } from "commander";
import { checkPolicies } from "../policy/check.ts";
import { policiesFolder } from "./policies-folder.ts";
import { loadPolicies } from "../policy/load.ts";
import { type NotExpressible, tagPolicyFrom } from "../policy/tag-policy/from-policies.ts";
import { MAX_POLICY_CHARACTERS } from "../policy/tag-policy/limits.ts";
import { printable } from "../terminal/text.ts";

type Options = { readonly to: string; readonly json?: boolean };

/** `tagwarden policies export`: what of our policies AWS can be told, as a document for it. */
export function policiesExport(command: Command): Command {
  return command
    .description(
      "Print the tag policy for AWS Organizations that says what the policies of a folder say, as far as one can.",
    )
    .argument("[folder]", "folder of policy files (default: TAGWARDEN_POLICIES, else policies)")
    .addOption(new Option("--to <format>", "what to make").choices(["tag-policy"]).default("tag-policy"))
    .option("--json", "print {document, not_expressible}")
    .addHelpText(
      "after",
      `
What a tag policy cannot say goes to stderr. Attached, it counts for the tagged resources of every service.

Examples:
  tagwarden policies export > tag-policy.json
  tagwarden policies export ./policies --to tag-policy --json`,
    )
    .action(async (folder: string | undefined, options: Options) => {
      const { files } = await loadPolicies(policiesFolder(folder));
      const { document, not_expressible } = tagPolicyFrom(checkPolicies(files).policies);
      if (options.json) {
        process.stdout.write(`${JSON.stringify({ document, not_expressible }, null, 2)}\n`);
        return;
      }
      process.stdout.write(`${documentText(document)}\n`);
      for (const line of unsaidLines(not_expressible)) process.stderr.write(`${printable(line)}\n`);
    });
}

/** Readable where AWS still takes it: not every client of it leaves white space out of the count. */
function documentText(document: object): string {
  const readable = JSON.stringify(document, null, 2);
  return readable.length <= MAX_POLICY_CHARACTERS ? readable : JSON.stringify(document);
}

/** What is not said for the same reason, in one line. */
function unsaidLines(all: readonly NotExpressible[]): string[] {
  const byReason = Map.groupBy(all, ({ field, reason }) => `${field}: ${reason}`);
  return [...byReason].map(([what, places]) => {
    const names = places.map(({ policy, rule }) => (rule === null ? policy : `${policy}/${rule}`));
    return `not in the tag policy: ${what}: ${names.join(", ")}`;
  });
}
