import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compilePolicies } from "../../src/policy/load.ts";
import { tagsFrom, type Tags } from "../../src/tags/tags.ts";
import { apply, judgeAndFix, problemsOf } from "./build.ts";

/** An example: a policy, and the rows of the table that follows it before the next heading. */
type Example = { readonly text: string; readonly rows: readonly (readonly string[])[] };

const DOCUMENT = readFileSync(new URL("../../docs/policies.md", import.meta.url), "utf8");
const EXAMPLES: Example[] = DOCUMENT.split("```yaml policy\n")
  .slice(1)
  .map((part) => {
    const [text = "", rest = ""] = part.split("\n```\n");
    const lines = (rest.split("\n## ")[0] ?? "").split("\n");
    const begin = lines.findIndex((line) => line.startsWith("| tags "));
    const table =
      begin < 0
        ? []
        : lines.slice(
            begin + 2,
            lines.findIndex((line, index) => index > begin && line === ""),
          );
    return {
      text: `${text}\n`,
      rows: table.map((line) =>
        line
          .split("|")
          .slice(1, -1)
          .map((cell) => cell.trim()),
      ),
    };
  });

function readTags(cell: string): Tags {
  const pairs = cell.replaceAll("`", "").split(", ").filter(Boolean);
  return tagsFrom(
    pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1).replace('""', "")]),
  );
}

describe("what docs/policies.md says", () => {
  test("has examples, and rows of tags", () => {
    expect(EXAMPLES.length).toBeGreaterThanOrEqual(7);
    expect(EXAMPLES.flatMap(({ rows }) => rows).length).toBeGreaterThanOrEqual(20);
  });

  test("every YAML block is run", () => {
    expect(DOCUMENT.match(/^```/gm)).toHaveLength(EXAMPLES.length * 2);
  });

  describe.each(EXAMPLES.map((example) => [/^id: (.*)$/m.exec(example.text)?.[1], example] as const))(
    "%s",
    (_, { text, rows }) => {
      test("is valid", () => expect(problemsOf(text)).toEqual([]));

      if (rows.length > 0) {
        test.each(rows.map(([tags = "", finds = "", repair]) => ({ tags, finds, repair })))(
          "$tags",
          ({ tags, finds, repair }) => {
            const before = readTags(tags);
            const { found, fixes } = judgeAndFix(compilePolicies([{ path: "p.yaml", text }]), before);
            // The table leaves out the key: the rule's name says it.
            const short = found.map((words) =>
              words
                .split(" ")
                .filter((_, index, all) => index === 0 || index === all.length - 1)
                .join(" "),
            );
            expect(short).toEqual(finds.replaceAll("`", "").split(", ").filter(Boolean));
            if (repair === "a person") expect(fixes.map(({ kind }) => kind)).toContain("review");
            else if (repair !== undefined) expect({ ...fixes.reduce(apply, before) }).toEqual({ ...readTags(repair) });
          },
        );
      }
    },
  );

  test("the error that it shows is the error that there is", () => {
    expect(problemsOf("version: 1\nid: p\n\nrule: []\n")).toContain(
      "a.yaml:4:1: unknown field `rule`. Did you mean `rules`?",
    );
  });
});
