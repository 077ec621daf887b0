import { writeFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { UsageError } from "../config.ts";
import { IMPORT_FORMATS, type ImportNote, type ImportProblem } from "../policy/import-policy.ts";
import { printable } from "../terminal/text.ts";
import { EXIT } from "./exit.ts";
import { importAccount, importFiles, type ImportWish } from "./import-sources.ts";

type Options = ImportWish & {
  readonly account?: string;
  readonly out?: string;
  readonly force?: boolean;
  readonly json?: boolean;
};

/** `tagwarden policies import`: makes a policy file of what AWS Organizations or AWS Config is told about tags. */
export function policiesImport(command: Command): Command {
  return command
    .description("Make a policy file of tag policies of AWS Organizations, or of a required-tags rule of AWS Config.")
    .argument("[files...]", "JSON files; of tag policies several, in the order of inheritance: the root's first")
    .addOption(new Option("--from <format>", "what the files are (default: what they hold)").choices(IMPORT_FORMATS))
    .option("--account <id>", "in place of files: the effective tag policy of an account, asked of AWS Organizations")
    .option(
      "--attached",
      "with --account: merge the policies that are attached along the way to it, and say what is lost",
    )
    .option("--id <id>", "id of the policy (default: tag-policy, or required-tags)")
    .addOption(
      new Option("--require <where>", "require what is required of any type of every type of Personalize").choices([
        "everywhere",
      ]),
    )
    .option("--out <file>", "write the policy there, not to stdout")
    .option("--force", "with --out: also when the file exists")
    .option("--json", "print {policy, notes, problems}")
    .addHelpText(
      "after",
      `
What the policy does not say exactly as AWS does goes to stderr.

Examples:
  tagwarden policies import root.json production.json --out policies/tag-policy.yaml
  tagwarden policies import --account 111122223333 --require everywhere
  tagwarden policies import config-rule.json`,
    )
    .action((files: string[], options: Options) => run(files, options));
}

async function run(files: readonly string[], options: Options): Promise<void> {
  checkOptions(files, options);
  const imported =
    options.account === undefined ? await importFiles(files, options) : await importAccount(options.account, options);
  const { policy, notes, problems } = imported;
  if (policy === null && !options.json) throw new UsageError(problems.map(problemText).map(printable).join("\n"));
  if (policy === null) process.exitCode = EXIT.usage;
  else if (options.out !== undefined) await write(options.out, policy, options.force === true);
  if (options.json) process.stdout.write(`${JSON.stringify({ policy, notes, problems }, null, 2)}\n`);
  else {
    for (const note of notes) process.stderr.write(`${printable(noteText(note))}\n`);
    if (policy !== null && options.out === undefined) process.stdout.write(policy);
  }
}

function checkOptions(files: readonly string[], { account, attached, from, force, out, id }: Options): void {
  if (account === undefined && files.length === 0)
    throw new UsageError("Name a file, or an account with --account. See tagwarden policies import --help.");
  if (account !== undefined && (files.length > 0 || from !== undefined))
    throw new UsageError("--account takes the place of files and of --from.");
  if (account !== undefined && !/^\d{12}$/.test(account))
    throw new UsageError(`${JSON.stringify(account)} is not an account id: it has twelve digits.`);
  if (attached && account === undefined) throw new UsageError("--attached goes with --account.");
  if (force && out === undefined) throw new UsageError("--force goes with --out.");
  if (id !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(id))
    throw new UsageError(
      `--id ${JSON.stringify(id)}: an id begins with a letter or number and has at most 64 letters, numbers and . _ -`,
    );
}

async function write(path: string, text: string, force: boolean): Promise<void> {
  try {
    await writeFile(path, text, { flag: force ? "w" : "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST")
      throw new UsageError(`${path} exists already: --force replaces it.`, { cause: error });
    throw new UsageError(`${path}: cannot be written: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  process.stderr.write(`Wrote ${printable(path)}\n`);
}

function noteText({ file, line, column, path, key, code, message }: ImportNote): string {
  const place = file === null ? (key ?? path) : line === 0 ? file : `${file}:${line}:${column}`;
  const at = file !== null && line === 0 && path ? `${path}: ` : "";
  return `note: ${place === null ? "" : `${place}: `}${at}${code}: ${message}`;
}

function problemText({ file, line, column, path, code, message, hint }: ImportProblem): string {
  const place = file === null ? path : line === 0 ? file : `${file}:${line}:${column}`;
  return `${place ? `${place}: ` : ""}${code}: ${message}${hint === undefined ? "" : `. ${hint}`}`;
}
