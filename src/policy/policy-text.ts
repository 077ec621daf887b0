import { Document, isMap, isNode, isSeq, type YAMLMap } from "yaml";

/** A rule to be written into a policy file, and what is said above it. Fields that are undefined are left out. */
export type RuleDraft = {
  readonly comments: readonly string[];
  readonly fields: Readonly<Record<string, unknown>> & { readonly id: string };
};

/** A policy to be written into a file. */
export type PolicyDraft = {
  readonly id: string;
  readonly title: string;
  readonly types?: readonly string[];
  readonly rules: readonly RuleDraft[];
};

/** The text of a policy file, in the form in which the starter policies are written. `comments`: lines that say what it is. */
export function policyText(draft: PolicyDraft, comments: readonly string[]): string {
  const { id, title, types, rules } = draft;
  const fields = {
    version: 1,
    id,
    title,
    ...(types && { applies_to: { types } }),
    rules: rules.map((rule) => rule.fields),
  };
  const document = new Document(fields, { aliasDuplicateObjects: false });
  const policy = document.contents as unknown as YAMLMap;
  writeListsOnOneLine(policy);
  const list = policy.get("rules", true);
  for (const [index, rule] of (isSeq(list) ? list.items : []).entries()) {
    if (!isNode(rule)) continue;
    rule.spaceBefore = index > 0;
    rule.commentBefore = (rules[index]?.comments ?? []).map((line) => ` ${oneLine(line)}`).join("\n");
  }
  const head = ["yaml-language-server: $schema=policy.schema.json", "", ...comments];
  return `${head.map((line) => `# ${oneLine(line)}`.trimEnd()).join("\n")}\n${document.toString({ lineWidth: 120, flowCollectionPadding: false })}`;
}

/** A comment cannot break out of its line, nor move a terminal's cursor. */
function oneLine(text: string): string {
  return text.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "�");
}

function writeListsOnOneLine(map: YAMLMap): void {
  for (const { value } of map.items) {
    if (isMap(value)) writeListsOnOneLine(value);
    if (!isSeq(value)) continue;
    const maps = value.items.filter((item) => isMap(item));
    value.flow = maps.length === 0;
    maps.forEach(writeListsOnOneLine);
  }
}

const ID_LENGTH = 64;

/**
 * An id for each of these words, all different: the word itself where it can be one, else what of it can be read. The same words
 * get the same ids, so that findings keep their names when a policy is imported again.
 */
export function idsFor(words: readonly string[]): Map<string, string> {
  const ids = new Map<string, string>();
  const taken = new Set<string>();
  const give = (word: string, id: string) => {
    ids.set(word, id);
    taken.add(id);
  };
  for (const word of words) if (word.length <= ID_LENGTH && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(word)) give(word, word);
  for (const word of words) {
    if (ids.has(word)) continue;
    const slug = slugOf(word);
    let id = slug;
    for (let number = 2; taken.has(id); number += 1) {
      const ending = `-${number}`;
      id = `${slug.slice(0, ID_LENGTH - ending.length)}${ending}`;
    }
    give(word, id);
  }
  return ids;
}

/** `acme:cost center` becomes `acme-cost-center`; accents go, other scripts have nothing that an id can hold. */
function slugOf(word: string): string {
  const plain = word.normalize("NFKD").replace(/\p{M}/gu, "");
  const slug = plain.replace(/[^A-Za-z0-9._]+/g, "-").replace(/^[^A-Za-z0-9]+|-+$/g, "");
  return slug.slice(0, ID_LENGTH) || "key";
}
