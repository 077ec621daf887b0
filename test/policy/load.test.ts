import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { compilePolicies, loadPolicies, type PolicyError } from "../../src/policy/load.ts";
import { problemsOf } from "./build.ts";

const HEAD = "version: 1\nid: p\nrules:\n";
/** The problems of one rule in flow form on line 4, without the file's name. */
const ofRule = (rule: string) => problemsOf(`${HEAD}  - ${rule}\n`).map((line) => line.replace("a.yaml:4:", ""));

describe("a policy that is no policy", () => {
  test.each([
    ["", "a.yaml:1:1: is empty. A policy begins with `version: 1`."],
    ["# only a comment\n", "a.yaml:1:1: is empty. A policy begins with `version: 1`."],
    ["- version: 1\n", "a.yaml:1:1: the file must be a mapping, not a list"],
    ["just text", "a.yaml:1:1: the file must be a mapping, not a string"],
    [
      "version: 1\nid: [\n",
      "a.yaml:3:1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
    ],
    [
      `${HEAD}  - {id: r, max_tags: 1}\n---\nid: q\n`,
      "a.yaml:6:1: a second document. One file holds one policy: remove the `---`.",
    ],
    [
      `%YAML 1.1\n---\n${HEAD}  - {id: r, max_tags: 1}\n`,
      "a.yaml:1:1: YAML 1.1 is not supported. Remove the %YAML line.",
    ],
    // A message is one line, whatever it quotes.
    [
      'version: "1\\n\\e[2J"\nid: p\nrules: [{id: r, max_tags: 1}]\n',
      "a.yaml:1:10: `version` cannot be `1��[2J`. This is version 1: write `version: 1`.",
    ],
    ["version: 1\nid: !secret x\n", "a.yaml:2:5: not valid YAML: Unresolved tag: !secret"],
    ["version: 1\nid: a\u0000b\n", "a.yaml:2:6: a control character, which no policy needs"],
    [`version: 1\nid: ${"x".repeat(262_144)}\n`, "a.yaml: is larger than 256 KiB"],
    [`version: 1\nid: ${"[".repeat(30)}${"]".repeat(30)}\n`, "a.yaml: is nested deeper than 20 levels"],
    [
      `a: &a [x, x]\n${Array.from("bcdefghij")
        .map((name, n) => `${name}: &${name} [${`*${"abcdefghij"[n]}, `.repeat(9)}]\n`)
        .join("")}`,
      "a.yaml: cannot be read: Excessive alias count indicates a resource exhaustion attack",
    ],
    [
      "version: 1\nid: *nowhere\n",
      "a.yaml: cannot be read: Unresolved alias (the anchor must be set before the alias): nowhere",
    ],
  ])("%#", (text, problem) => expect(problemsOf(text)).toEqual([problem]));

  test.each(["[", "{a: ", "- ", "? "])("nested without end by %j is said as such", (open) => {
    expect(problemsOf(`version: 1\nid:\n  ${open.repeat(50_000)}`)).toEqual([
      "a.yaml: is nested deeper than 20 levels",
    ]);
  });

  test("lines are counted on after what is no YAML", () => {
    expect(problemsOf("  version: 1\nid\nrules: [\n").map((line) => line.split(" ")[0])).toEqual([
      "a.yaml:2:1:",
      "a.yaml:3:6:",
      "a.yaml:3:8:",
      "a.yaml:4:1:",
    ]);
  });

  test("a mapping as a key is refused, and nothing else is printed", async () => {
    const warned = vi.spyOn(process, "emitWarning");
    expect(problemsOf(`${HEAD}  - {id: r, max_tags: 1, {a: b}: c}\n`)).toContain(
      "a.yaml:4:26: a key that is not a string. Put it in quotes.",
    );
    expect(warned).not.toHaveBeenCalled();
  });
});

describe("the head of a policy", () => {
  const RULES = "rules: [{id: r, max_tags: 1}]\n";
  test.each([
    [`id: p\n${RULES}`, ["1:1: `version` is missing. This is version 1: write `version: 1`."]],
    [`version: 2\nid: p\n${RULES}`, ["1:10: `version` cannot be `2`. This is version 1: write `version: 1`."]],
    [`version: 1\n${RULES}`, ["1:1: `id` is missing"]],
    [`version: 1\nid: 7\n${RULES}`, ["2:5: `id` must be a string, not a number. Put it in quotes: '7'."]],
    [
      `version: 1\nid: a/b\n${RULES}`,
      ["2:5: `id` must begin with a letter or number and hold only letters, numbers and . _ -"],
    ],
    ["version: 1\nid: p\n", ["1:1: `rules` is missing"]],
    [
      `version: 1\nid: p\nrules:\n${Array.from({ length: 201 }, (_, n) => `  - {id: r${n}, max_tags: 1}\n`).join("")}`,
      ["4:3: `rules` has more than 200 items"],
    ],
    ["version: 1\nid: p\nrules: []\n", ["3:8: `rules` is an empty list. Name something, or leave it out."]],
    [
      `version: 1\nid: p\nremediation: on\n${RULES}`,
      ["3:14: `remediation` cannot be `on`. Possible here: off, plan, auto."],
    ],
    [`version: 1\nid: p\nowner: ""\n${RULES}`, ["3:8: `owner` is empty"]],
    [`version: 1\nid: p\ntitel: x\n${RULES}`, ["3:1: unknown field `titel`. Did you mean `title`?"]],
    [`version: 1\nid: p\ntitle: "a\\nb"\n${RULES}`, ["3:8: `title` must be one line of plain text"]],
    [`version: 1\nid: p\nid: q\n${RULES}`, ["3:1: `id` is there twice. Keep one of the two."]],
    [
      `version: 1\nid: p\n1: x\n${RULES}`,
      [
        "3:1: a key that is not a string. Put it in quotes: '1'.",
        "3:1: unknown field `1`. Possible here: version, id, formerly, title, owner, remediation, managed, applies_to, rules.",
      ],
    ],
    [
      `version: 1\nid: p\nmanaged: "'ManagedBy' in tag"\n${RULES}`,
      ["3:26: `managed`: `tag` is not known here. Did you mean `tags`?"],
    ],
  ])("%#", (text, problems) => {
    expect(problemsOf(text)).toEqual(problems.map((problem) => `a.yaml:${problem}`));
  });
});

describe("the scope of a policy", () => {
  const scoped = (scope: string) =>
    problemsOf(`version: 1\nid: p\napplies_to: ${scope}\nrules: [{id: r, max_tags: 1}]\n`).map((line) =>
      line.replace("a.yaml:3:", ""),
    );
  test.each([
    ["{types: [campain]}", "22: `applies_to.types[1]` cannot be `campain`. Did you mean `campaign`?"],
    ["{types: []}", "21: `applies_to.types` is an empty list. Name something, or leave it out."],
    ["{types: campaign}", "21: `applies_to.types` must be a list, not a string. Write [campaign]."],
    ["{types: [campaign, campaign]}", "32: `campaign` is listed twice"],
    [
      "{accounts: [012345678901]}",
      "25: `applies_to.accounts[1]` must be a string, not a number. Put it in quotes: '012345678901'.",
    ],
    ["{accounts: ['123']}", "25: `applies_to.accounts[1]` must be twelve digits, or fewer with a `*`, in quotes"],
    ["{regions: [US-East]}", "24: `applies_to.regions[1]` must be a region such as `us-east-1` or `us-*`"],
    ["{type: [campaign]}", "14: unknown field `type`. Did you mean `types`?"],
    ["{where: \"resource.staus == 'ACTIVE'\"}", "31: `where`: there is no `staus` here. Did you mean `status`?"],
    ["[campaign]", "13: `applies_to` must be a mapping, not a list"],
    ["", "13: `applies_to` must be a mapping, not nothing"],
  ])("%s", (scope, problem) => expect(scoped(scope)).toEqual([problem]));

  test("a wildcard that no type is like", () => {
    expect(scoped("{types: ['model-*']}")[0]).toMatch(
      /^22: no resource type is like `model-\*`\. Possible here: dataset-group, /,
    );
  });
});

describe("a rule", () => {
  test.each([
    ["{id: r, key: K, required: true, sevrity: high}", "37: unknown field `sevrity`. Did you mean `severity`?"],
    ["{id: r, key: K, required: true, severity: hihg}", "47: `severity` cannot be `hihg`. Did you mean `high`?"],
    ["{key: K, required: true}", "5: `id` is missing"],
    [
      "{id: r, key: K, forbidden: [x]}",
      "21: a rule is about one thing, and this one has `key` and `forbidden`. Make two rules of it.",
    ],
    ["{id: r, forbidden: [x], values: [y]}", "29: `values` is for rules with `key`, which this one is not"],
    [
      "{id: r, required: true}",
      "5: a rule without `key`, `forbidden`, `max_tags` or `assert`. Say what the rule is about.",
    ],
    ["text", "5: `rules[1]` must be a mapping, not a string"],
    [
      "{id: r, key: K}",
      "5: rule `r` can never be violated. Give it `required: true`, `values`, `pattern`, `format`, `aliases` or `agrees_with`.",
    ],
    ["{id: r, key: aws:x, required: true}", "18: `key` begins with `aws:`, which AWS keeps for itself"],
    ['{id: r, key: "", required: true}', "18: `key` is empty"],
    [`{id: r, key: ${"k".repeat(129)}, required: true}`, "18: `key` has 129 characters, AWS allows 128"],
    [
      "{id: r, key: 'a,b', required: true}",
      '18: `key` has the character ","; AWS allows letters, numbers, spaces and _ . : / = + - @',
    ],
    ["{id: r, key: K, values: []}", "29: `values` is an empty list. Name something, or leave it out."],
    ["{id: r, key: K, values: [a, b, a]}", "36: `a` is listed twice"],
    ["{id: r, key: K, values: [1.10]}", "30: `values[1]` must be a string, not a number. Put it in quotes: '1.10'."],
    [
      "{id: r, key: K, values: [a, true]}",
      "33: `values[2]` must be a string, not a boolean. Put it in quotes: 'true'.",
    ],
    [
      "{id: r, key: K, values: ['a#b']}",
      '30: `values[1]` has the character "#"; AWS allows letters, numbers, spaces and _ . : / = + - @',
    ],
    ["{id: r, key: K, required: yes}", "31: `required` must be true, false, or a condition"],
    ["{id: r, key: K, required: \"tags.Environment = 'prod'\"}", "49: `required`: Unexpected character: ="],
    ["{id: r, key: K, required: 'size(tags)'}", "32: `required`: it is int, and must be bool"],
    ['{id: r, assert: "tags.Size > 5"}', "22: `assert`: cannot be compared or combined: string > int"],
    ['{id: r, assert: "tags.Size == 5"}', "35: `assert`: the value of a tag is text. Write '5'."],
    ["{id: r, assert: \"account.tag.x == 'a'\"}", "30: `assert`: there is no `tag` here. Did you mean `tags`?"],
    [
      "{id: r, assert: \"resource.name.matches('(?=a)')\"}",
      "44: `assert`: the pattern is no RE2 expression: error parsing regexp: invalid or unsupported Perl syntax: `(?=`",
    ],
    [
      "{id: r, assert: 'cel.bind(a, tags.x, true)'}",
      "22: `assert`: `cel.bind` is not available: values bound to each other grow without bound",
    ],
    [
      "{id: r, assert: 'tags.all(a, tags.all(b, tags.all(c, a != b)))'}",
      "46: `assert`: more than 2 loops within each other",
    ],
    [
      "{id: r, key: K, required: true, fix: {missing: {inherit: true, value: x}}}",
      "53: one source at a time, and here are `value` and `inherit`. Put the second one into `otherwise`.",
    ],
    [
      "{id: r, key: K, required: true, fix: {missing: {despite_near_miss: true}}}",
      "52: no source for the value. Give it one of value, inherit, account_tag, lookup, template.",
    ],
    [
      "{id: r, key: K, required: true, fix: {missing: {value: a, otherwise: b}}}",
      "63: `otherwise` does nothing beside a fixed value",
    ],
    [
      "{id: r, key: K, required: true, values: [a], fix: {missing: {inherit: true, otherwise: b}}}",
      "92: the rule itself refuses `b`",
    ],
    [
      "{id: r, key: K, required: true, fix: {missing: {template: 'x-{resource.nam}'}}}",
      "76: `template`: there is no `nam` here. Did you mean `name`?",
    ],
    [
      "{id: r, key: K, required: true, fix: {missing: {template: 'x-{resource.name'}}}",
      "66: `template`: a `{` without its partner",
    ],
    [
      "{id: r, key: K, required: true, fix: {missing: {lookup: {file: teams.csv, by: name, column: owner}}}}",
      "68: there is no lookup file `teams.csv` among the policies. Put a `.csv` or `.lookup.yaml` file beside the policies.",
    ],
    [
      "{id: r, key: K, values: [a], fix: {invalid: {ignore_case: true, otherwise: a}}}",
      "50: `ignore_case` does nothing without `map`",
    ],
    [
      "{id: r, key: K, values: [a], fix: {invalid: {}}}",
      "49: `fix.invalid` says nothing. Give it `clean`, `map`, `patterns` or `otherwise`.",
    ],
    [
      "{id: r, key: K, values: [a, b], fix: {invalid: {ignore_case: true, map: {X: a, x: b}}}}",
      "84: `X` is the same value in another case, and maps to something else",
    ],
    ["{id: r, key: K, any_case: true, aliases: [k]}", "47: `any_case` covers the alias `k` already"],
    ["{id: r, key: K, required: true, formerly: [r]}", "48: `p/r` is in use, so it is no former name"],
    ["{id: r, key: K, pattern: '(a'}", "30: `pattern` is no RE2 expression: missing closing ): `(a`"],
    [
      "{id: r, key: K, pattern: '(?!a)b'}",
      "30: `pattern` is no RE2 expression: invalid or unsupported Perl syntax: `(?!`. RE2 has no look-around; see https://github.com/google/re2/wiki/Syntax.",
    ],
    [
      "{id: r, key: K, pattern: '(a{2}){500}(b{2}){500}'}",
      "30: `pattern` is no RE2 expression: too large once its repetitions are written out",
    ],
    ["{id: r, key: K, format: mail}", "29: `format` cannot be `mail`. Did you mean `email`?"],
    ["{id: r, key: K, aliases: [K]}", "31: the alias `K` is the key itself"],
    ["{id: r, key: K, aliases: [k, k]}", "34: `k` is listed twice"],
    [
      "{id: r, key: K, aliases: [k], allow_empty: true}",
      "35: `allow_empty` does nothing where nothing refuses an empty value",
    ],
    [
      "{id: r, key: K, values: [a, bb], pattern: '.'}",
      "33: the rule lists `bb` and refuses it by `pattern` or `format`",
    ],
    [
      "{id: r, key: K, values: [a], fix: {variant: rename}}",
      "40: `fix.variant` does nothing without `aliases` or `any_case`",
    ],
    ["{id: r, key: K, values: [a], fix: {missing: {value: a}}}", "40: `fix.missing` does nothing without `required`"],
    [
      "{id: r, key: K, aliases: [k], fix: {invalid: {map: {a: b}}}}",
      "41: `fix.invalid` does nothing where every value is allowed",
    ],
    ["{id: r, key: K, required: true, values: [a], fix: {missing: {value: b}}}", "73: the rule itself refuses `b`"],
    ["{id: r, key: K, required: true, fix: {missing: {value: ''}}}", "60: the rule itself refuses an empty value"],
    [
      "{id: r, key: K, required: true, fix: {missing: dev}}",
      "52: `fix.missing` must be `review` or a mapping such as {value: …}. Write {value: dev}.",
    ],
    ["{id: r, key: K, required: true, fix: {missing: {valeu: x}}}", "53: unknown field `valeu`. Did you mean `value`?"],
    ["{id: r, key: K, values: [a], fix: {invalid: {map: {A: b}}}}", "59: the rule itself refuses `b`"],
    [
      "{id: r, key: K, values: [a, b], fix: {invalid: {map: {a: b}}}}",
      "59: the rule allows `a`, so it is never mapped",
    ],
    ["{id: r, key: K, values: [a], fix: {invalid: {map: {}}}}", "55: `fix.invalid.map` is empty"],
    [
      "{id: r, key: K, values: [a], fix: {invalid: {map: {'x#': a}}}}",
      '56: no tag has the value `x#`: it has the character "#"; AWS allows letters, numbers, spaces and _ . : / = + - @',
    ],
    ["{id: r, forbidden: ['aws:*']}", "25: `forbidden[1]` begins with `aws:`, which AWS keeps for itself"],
    [
      "{id: r, forbidden: [x], fix: {forbidden: rename}}",
      "46: `fix.forbidden` cannot be `rename`. Possible here: remove, review.",
    ],
    ["{id: r, max_tags: 51}", "23: `max_tags` is more than 50"],
    ["{id: r, max_tags: -1}", "23: `max_tags` is less than 0"],
    ["{id: r, max_tags: 1.5}", "23: `max_tags` must be a whole number, not 1.5"],
    ["{id: r, max_tags: many}", "23: `max_tags` must be a whole number, not a string"],
    [
      "{id: r, max_tags: 5, __proto__: x}",
      [
        "26: `__proto__` cannot be a key here",
        "26: unknown field `__proto__`. Possible here: id, formerly, severity, message, max_tags.",
      ],
    ],
  ])("%s", (rule, problem) => expect(ofRule(rule)).toEqual([problem].flat()));
});

describe("rules against each other", () => {
  test.each([
    [
      ["{id: r, key: A, required: true}", "{id: r, key: B, required: true}"],
      "5:10: the rule id `r` is taken in this file",
    ],
    [
      ["{id: a, key: A, required: true}", "{id: b, key: A, format: email}"],
      "5:18: rule `a` is about `A` already. One rule says everything about one key.",
    ],
    [
      ["{id: a, key: A, aliases: [B]}", "{id: b, key: B, required: true}"],
      "4:31: rule `b` is about `B` already. One rule says everything about one key.",
    ],
    [
      ["{id: a, key: A, aliases: [x]}", "{id: b, key: B, aliases: [x]}"],
      "5:31: rule `a` is about `x` already. One rule says everything about one key.",
    ],
    [
      ["{id: a, key: tmp-owner, required: true}", "{id: b, forbidden: ['tmp-*']}"],
      "5:25: `tmp-*` forbids `tmp-owner`, which rule `a` is about",
    ],
    [
      ["{id: a, key: A, required: true}", "{id: b, key: B, required: true}", "{id: c, max_tags: 1}"],
      "6:23: `max_tags` leaves no room for the 2 required keys of this file",
    ],
    [
      Array.from({ length: 51 }, (_, n) => `{id: r${n}, key: K${n}, required: true}`),
      "54:20: 51 required keys, and a resource holds 50 tags",
    ],
  ])("%#", (rules, problem) => {
    expect(problemsOf(`${HEAD}${rules.map((rule) => `  - ${rule}\n`).join("")}`)).toEqual([`a.yaml:${problem}`]);
  });
});

describe("several files", () => {
  const good = `${HEAD}  - {id: r, max_tags: 1}\n`;

  test("an id that two of them have", () => {
    expect(problemsOf(good, good)).toEqual([
      "b.yaml:2:5: the policy id `p` is taken by a.yaml. Give one of them another id.",
    ]);
  });

  test("the id that is kept for Tagwarden's own findings, now or formerly", () => {
    const own = good.replace("id: p", "id: tagwarden");
    const former = good.replace("id: p", "id: q\nformerly: [tagwarden]");
    expect(problemsOf(own, former)).toEqual([
      "a.yaml:2:5: the policy id `tagwarden` is kept for what Tagwarden finds by itself. Give the policy another id.",
      "b.yaml:3:12: `tagwarden` is in use, so it is no former name",
    ]);
    expect(problemsOf(former)).toEqual([
      "a.yaml:3:12: `tagwarden` is kept for what Tagwarden finds by itself, so it is no former name",
    ]);
  });

  test("all problems of all files at once, in the order of files and lines", () => {
    const bad =
      "version: 1\nid: q\nremediation: atuo\nrules:\n  - {id: r, max_tags: 99}\n  - {id: r, key: K, values: [a], pattern: b}\n";
    expect(problemsOf("x: [", bad, good)).toEqual([
      "a.yaml:1:5: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
      "b.yaml:3:14: `remediation` cannot be `atuo`. Did you mean `auto`?",
      "b.yaml:5:23: `max_tags` is more than 50",
      "b.yaml:6:30: the rule lists `a` and refuses it by `pattern` or `format`",
    ]);
  });

  test("none at all", () => {
    expect(problemsOf()).toEqual([
      ".: holds no policy: no file ends in .yaml or .yml. Put a policy there, such as those that come with Tagwarden; see docs/policies.md.",
    ]);
  });

  test("problems are data, too", () => {
    try {
      compilePolicies([{ path: "a.yml", text: "version: 1\nid: p\nrule: []\n" }]);
      expect.unreachable();
    } catch (error) {
      expect((error as PolicyError).problems).toEqual([
        { path: "a.yml", line: 1, column: 1, message: "`rules` is missing" },
        { path: "a.yml", line: 3, column: 1, message: "unknown field `rule`", hint: "Did you mean `rules`?" },
      ]);
    }
  });
});

describe("the id of a set", () => {
  const id = (...texts: string[]) => compilePolicies(texts.map((text, n) => ({ path: `${n}.yaml`, text }))).id;
  const one = "version: 1\nid: one\nrules:\n  - {id: r, key: K, values: [a, b]}\n";
  const two = "version: 1\nid: two\nrules:\n  - {id: r, max_tags: 1}\n";

  test("is the same whatever the order of files and fields, comments, white space, and defaults said aloud", () => {
    const same =
      "# a comment\nid: 'one'\nremediation: plan\nrules:\n\n- key: K\n  id: r\n  required: false\n  severity: medium\n  values:\n  - a\n  - b\nversion: 1\n";
    expect(id(two, same)).toBe(id(one, two));
    expect(id(one)).toMatch(/^[0-9a-f]{64}$/);
  });

  test("is another when anything else is said", () => {
    const ids = [one, one.replace("a, b", "a"), one.replace("id: one", "id: uno"), `${one}title: x\n`, two].map(
      (text) => id(text),
    );
    expect(new Set(ids).size).toBe(5);
    expect(id(one, two)).not.toBe(id(one));
  });

  test("anchors are a way to write, not to mean", () => {
    expect(
      id(`version: 1\nid: one\nrules:\n  - {id: r, key: &k K, values: [a, b]}\n  - {id: s, key: L, values: [*k]}\n`),
    ).toBe(id(`version: 1\nid: one\nrules:\n  - {id: r, key: K, values: [a, b]}\n  - {id: s, key: L, values: [K]}\n`));
  });
});

describe("a folder", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tagwarden-policies-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const write = (name: string, content: string | Buffer) => writeFile(join(folder, name), content);
  const text = (id: string) => `version: 1\nid: ${id}\nrules:\n  - {id: r, max_tags: 1}\n`;
  const failure = async () =>
    (
      await loadPolicies(folder).then(
        () => "",
        (error: PolicyError) => error.message,
      )
    ).replaceAll(folder, "F");

  test("gives its .yaml and .yml files, sorted, those of subfolders, and what links point to", async () => {
    await mkdir(join(folder, "team"));
    await mkdir(join(folder, "..data"), { recursive: true });
    await write("b.yml", text("b"));
    await write("a.yaml", text("a"));
    await write("team/c.yaml", text("c"));
    await write("notes.txt", "no policy");
    await write(".hidden.yaml", "no policy");
    await writeFile(join(folder, "..data", "d.yaml"), text("d"));
    await symlink(join("..data", "d.yaml"), join(folder, "d.yaml"));
    const set = await loadPolicies(folder);
    expect(set.files.map(({ path }) => path)).toEqual(["a.yaml", "b.yml", "d.yaml", "team/c.yaml"]);
    expect(set.id).toBe(compilePolicies(set.files).id);
  });

  test("problems name the file as a person would open it", async () => {
    await write("a.yaml", "version: 1\nid: p\n");
    await write("bad.yaml", Buffer.from([0x69, 0x64, 0x3a, 0x20, 0xff, 0xfe]));
    await symlink("nowhere", join(folder, "gone.yaml"));
    await mkdir(join(folder, "real"));
    await symlink("real", join(folder, "linked.yaml"));
    await write("huge.yaml", "#".repeat(300_000));
    expect((await failure()).split("\n")).toEqual([
      "F/a.yaml:1:1: `rules` is missing",
      "F/bad.yaml: is not UTF-8 text",
      expect.stringMatching(/^F\/gone\.yaml: cannot be read: ENOENT/),
      "F/huge.yaml: is larger than 256 KiB",
      "F/linked.yaml: is no file",
    ]);
  });

  test("without policies, or that is not there", async () => {
    expect(await failure()).toMatch(/^F: holds no policy/);
    await rm(folder, { recursive: true });
    expect(await failure()).toMatch(/^F: cannot be read: ENOENT/);
  });

  test("a byte order mark and Windows line ends do no harm", async () => {
    await write("a.yaml", `\ufeff${text("a").replaceAll("\n", "\r\n")}`);
    expect((await loadPolicies(folder)).policies[0]?.id).toBe("a");
  });
});
