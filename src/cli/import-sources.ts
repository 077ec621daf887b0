import { readFile, stat } from "node:fs/promises";
import { CannotBeginError, UsageError } from "../config.ts";
import {
  formatOf,
  type Import,
  type ImportAs,
  importConfigRule,
  importEffectivePolicy,
  type ImportFormat,
  importTagPolicies,
  type SourceDocument,
} from "../policy/import-policy.ts";
import { withContext } from "./context.ts";

/** What to make of what is found, and what to take it for. */
export type ImportWish = {
  readonly from?: ImportFormat;
  readonly id?: string;
  readonly require?: "everywhere";
  /** Merge what is attached ourselves, in place of asking what is in effect. */
  readonly attached?: boolean;
};

/** Bytes of a file: more than the largest effective policy has. */
const MAX_BYTES = 1024 * 1024;

/** Makes a policy of files. Throws UsageError for what cannot be read or belongs not together. */
export async function importFiles(paths: readonly string[], options: ImportWish): Promise<Import> {
  const documents = await Promise.all(paths.map(readDocument));
  const formats = new Set(documents.map((document) => options.from ?? guessed(document)));
  const [format, other] = formats;
  const [document, second] = documents;
  if (!document || other !== undefined)
    throw new UsageError(`These files are ${[...formats].join(" and ")}: import what is of one kind together.`);
  if (format === "tag-policy") {
    const source = [
      "Imported from tag policies of AWS Organizations, the root's first:",
      ...paths.map((path) => `  ${path}`),
    ];
    return importTagPolicies(documents, importAs(options, source));
  }
  if (second) throw new UsageError(`A policy is made of one ${format}, and these are ${documents.length} files.`);
  if (format === "config-rule") {
    if (options.require) throw new UsageError("--require goes with tag policies: a rule of AWS Config has its scope.");
    const source = [`Imported from a required-tags rule of AWS Config: ${document.name}`];
    return importConfigRule(document, { id: options.id ?? "required-tags", source });
  }
  const source = [`Imported from an effective tag policy of AWS Organizations: ${document.name}`];
  return importEffectivePolicy(document, importAs(options, source));
}

/** Makes a policy of what AWS Organizations says of an account. Throws UsageError when it says nothing. */
export async function importAccount(account_id: string, options: ImportWish): Promise<Import> {
  return withContext("policies import", async (context) => {
    const { organizations } = await context.aws();
    try {
      if (!options.attached) {
        const text = await organizations.effectiveTagPolicy(account_id);
        if (text === null) throw nothingThere(account_id);
        const source = [
          `Imported from the effective tag policy of account ${account_id}, as AWS Organizations shows it`,
        ];
        const document = { name: `effective tag policy of ${account_id}`, target: account_id, text };
        return importEffectivePolicy(document, importAs(options, source));
      }
      const attached = await organizations.attachedTagPolicies(account_id);
      if (attached.length === 0) throw nothingThere(account_id);
      const documents = attached.map(({ name, policy_id, target, content }) => ({
        name: `${name} (${policy_id}) at ${target}`,
        target,
        text: content,
      }));
      const source = [
        `Imported from the tag policies along the way to account ${account_id}:`,
        ...documents.map(({ name }) => `  ${name}`),
      ];
      return importTagPolicies(documents, importAs(options, source));
    } catch (error) {
      throw forPerson(error);
    }
  });
}

function nothingThere(account_id: string): UsageError {
  return new UsageError(`No tag policy holds for account ${account_id}: there is nothing to import.`);
}

/** What a person can mend, by what kind of thing it is. */
function forPerson(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error.name === "MissingPermissionError") return new CannotBeginError(error.message, { cause: error });
  return error.name === "NotInOrganizationError" ? new UsageError(error.message, { cause: error }) : error;
}

function importAs({ id, require }: ImportWish, source: readonly string[]): ImportAs {
  const everywhere =
    "What is required of any type is required of every type of Personalize, as --require everywhere says.";
  return { id: id ?? "tag-policy", require: require ?? "listed", source: require ? [...source, everywhere] : source };
}

async function readDocument(path: string): Promise<SourceDocument> {
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES) throw new UsageError(`${path}: is larger than ${MAX_BYTES / 1024} KiB`);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
    return { name: path, target: path, text };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const reason =
      error instanceof TypeError
        ? "is not UTF-8 text"
        : `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    throw new UsageError(`${path}: ${reason}`, { cause: error });
  }
}

function guessed({ name, text }: SourceDocument): ImportFormat {
  const format = formatOf(text);
  if (format !== null) return format;
  throw new UsageError(
    `${name}: neither a tag policy, which has a field \`tags\`, nor a rule of AWS Config. Say with --from what it is.`,
  );
}
