import { readFileSync } from "node:fs";
import type { PolicyFile } from "../../src/policy/load.ts";

/** A fenced block: the two words behind its fence, its text, and the text up to the next block. */
export type Block = { readonly kind: string; readonly name: string; readonly text: string; readonly after: string };

/** A policy that a document shows, with the tables beside it and the cases that show what it does. */
export type Example = {
  readonly id: string;
  /** The policy, and the tables that it looks up. */
  readonly files: readonly PolicyFile[];
  readonly cases: readonly string[];
  /** Rows of the table of tags that follows, before the next heading. */
  readonly rows: readonly (readonly string[])[];
};

/** The fenced blocks of a document in `docs`. */
export function blocksOf(document: string): Block[] {
  return [...document.matchAll(/^```(\w+)(?: (\S+))?\n([^]*?)^```$([^]*?)(?=^```|(?![^]))/gm)].map(
    ([, kind = "", name = "", text = "", after = ""]) => ({ kind, name, text, after }),
  );
}

/** The text of a document in `docs`. */
export function readDocument(name: string): string {
  return readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");
}

/** Blocks `yaml policy`, each with the tables and the blocks `yaml cases` up to the next policy. */
export function examplesOf(blocks: readonly Block[]): Example[] {
  return blocks.flatMap((block, index) => {
    if (block.name !== "policy") return [];
    const next = blocks.findIndex(({ name }, place) => place > index && name === "policy");
    const beside = blocks.slice(index + 1, next < 0 ? undefined : next);
    const tables = beside.filter(({ name }) => /^[\w-]+\.(csv|lookup\.yaml)$/.test(name));
    return [
      {
        id: /^id: (.*)$/m.exec(block.text)?.[1] ?? "",
        files: [{ path: "policy.yaml", text: block.text }, ...tables.map(({ name, text }) => ({ path: name, text }))],
        cases: beside.filter(({ name }) => name === "cases").map(({ text }) => text),
        rows: tableAfter(block.after, "| tags "),
      },
    ];
  });
}

/** The rows of a table that begins so, before the next heading, a text for each cell. */
export function tableAfter(text: string, begin: string): string[][] {
  const lines = (text.split(/\n##+ /)[0] ?? "").split("\n");
  const head = lines.findIndex((line) => line.startsWith(begin));
  if (head < 0) return [];
  const end = lines.findIndex((line, index) => index > head && line === "");
  return lines.slice(head + 2, end).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("\\|", "|")),
  );
}
