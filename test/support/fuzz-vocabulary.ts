// What mutated policy files are made of: valid files of every kind, and fragments that are put into them.
import { readFileSync } from "node:fs";
import { parse } from "yaml";

export const FILE_KINDS = ["policy", "csv", "lookup", "cases", "exemptions"] as const;
export type FileKind = (typeof FILE_KINDS)[number];

const shipped = (name: string) => readFileSync(new URL(`../../policies/${name}.yaml`, import.meta.url), "utf8");

/** A policy that uses nearly all of the language in few lines. */
const BROAD = `version: 1
id: broad
formerly: [old]
title: Nearly all of the language
remediation: auto
managed: "'stack' in tags && resource.lineage.dataset_group.tags['stack'] != null"
applies_to: {types: [campaign, 'dataset*'], accounts: ['1111*'], regions: ['us-*'], names: ['prod-*', '*-test'], where: "resource.status == 'ACTIVE'"}
rules:
  - id: cost
    key: CostCenter
    aliases: [cost-center, cost]
    required: "tags.Environment == 'prod' || resource.age > days(7)"
    pattern: 'CC-\\d{4}'
    agrees_with: parent
    fix:
      variant: rename
      missing: {lookup: {file: teams.csv, by: [account_id, name], column: cost}, otherwise: {inherit: true}}
      invalid: {clean: {trim: true, case: upper, separators: '-'}, map: {none: CC-0000}, ignore_case: true}
  - id: environment
    key: Environment
    any_case: true
    required: true
    values: [dev, staging, prod, 'test-*']
    fix: {missing: {template: "{resource.name.lowerAscii()}"}, invalid: {patterns: [{pattern: 'pr.*', value: prod}], otherwise: dev}}
  - {id: owner, key: Owner, required: true, format: email, sensitive: true, fix: {missing: {account_tag: Owner, otherwise: {lookup: {file: owners.lookup.yaml, by: tags.Team, column: owner}}}}}
  - {id: leftovers, forbidden: ['tmp-*', 'x:*'], any_case: true, protected: true, fix: {forbidden: remove}}
  - {id: room, max_tags: 45}
  - {id: team, assert: "has(tags.Team) ? tags.Team.matches('[a-z]+') : tags.all(k, tags[k] != 'x')", message: Name a team.}
`;

/** The lookup files that the broad policy asks for. */
export const TABLES = {
  csv: { path: "teams.csv", text: "account_id,name,cost\n111122223333,prod-*,CC-1234\n1111*,*,CC-9999\n" },
  lookup: {
    path: "owners.lookup.yaml",
    text: "- {tags.Team: search, owner: a@example.com}\n- {tags.Team: 'x*', owner: b@example.com}\n",
  },
} as const;

const EXEMPTIONS = `version: 1
exemptions:
  - id: poc
    policy: broad
    rule: cost
    key: CostCenter
    types: [campaign, dataset]
    accounts: '111122223333'
    regions: us-east-1
    names: ['poc-*']
    reason: The trial ends in June.
    ticket: GOV-12
    requested_by: a@example.com
    approved_by: b@example.com
    starts: 2026-02-01
    expires: 2026-06-30
  - {id: stack, tags: {'aws:cloudformation:stack-name': 'legacy-*'}, arns: ['arn:aws:personalize:*:campaign/poc-*'], reason: Goes, requested_by: a, approved_by: b, expires: '2026-03-31T18:00:00Z'}
`;

const CASES = `policy: broad
cases:
  - name: repaired
    resource: {type: campaign, name: prod-home, created_at: '2026-01-01T00:00:00Z', summary: {trainingType: AUTOMATIC, n: 1}}
    tags: {cost: CC-1234, Environment: Prod, tmp-1: ''}
    parents: [{type: solution-version, name: s, tags: {CostCenter: CC-1}}, {type: solution, tags: null}]
    account: {name: shop, tags: {Owner: a@example.com}}
    now: '2026-02-01T00:00:00+02:00'
    expect: {cost: variant, broad/environment: invalid, owner: missing}
    changes: {CostCenter: CC-1234, cost: null}
`;

/** Valid files of each kind. */
export const SEEDS: Readonly<Record<FileKind, readonly string[]>> = {
  policy: [BROAD, BROAD, shipped("cost-allocation"), shipped("environment"), shipped("hygiene"), shipped("ownership")],
  csv: [TABLES.csv.text],
  lookup: [TABLES.lookup.text],
  cases: [CASES, shipped("cost-allocation.test")],
  exemptions: [EXEMPTIONS],
};

/** The same as data; CSV has none. */
export const TREES: Readonly<Record<FileKind, readonly unknown[]>> = {
  policy: SEEDS.policy.map((text) => parse(text) as unknown),
  csv: [],
  lookup: SEEDS.lookup.map((text) => parse(text) as unknown),
  cases: SEEDS.cases.map((text) => parse(text) as unknown),
  exemptions: SEEDS.exemptions.map((text) => parse(text) as unknown),
};

/** Pieces of YAML, of CSV, and of what the language means by them. */
export const PIECES = [
  ...Array.from("[]{}\n\t'\"|>,#%@`!&*?:-~\\;\r\u0000\u007f\u0085\u00a0\u2028\ufeff\ufffd\u0301😀"),
  ": ",
  "- ",
  "\n  ",
  "\n\n",
  "&a ",
  "*a",
  "!!set ",
  "!!binary ",
  "!!omap ",
  "!!int ",
  "!x ",
  "? ",
  "<<: ",
  "<<: *a\n",
  "|+2\n",
  ">-\n",
  "---\n",
  "...\n",
  "%YAML 1.1\n",
  "%TAG ! x\n",
  "null",
  "true",
  "yes",
  ".nan",
  "-.inf",
  "0x1F",
  "0o17",
  "1e999",
  "1_000",
  "-0",
  "9007199254740993",
  "2026-02-30",
  "12:30:45",
  "__proto__",
  "constructor",
  "toString",
  "aws:",
  "AWS:x",
  "*",
  "**",
  "(a+)+$",
  "version: 1\n",
  "version: 2\n",
  "id: p\n",
  "rules: ",
  "rules: []\n",
  "fix: {missing: {value: x}}",
  "map: {a: b}",
  "required: true",
  "values: []",
  "max_tags: -1",
  "aliases: [x]",
  "formerly: [x]\n",
  "exemptions: []\n",
  "expires: 9999-12-31\n",
  "cases: []\n",
  "tags: {a: 1}\n",
  '"""',
  '"\n"',
  ",,",
  ",\n",
] as const;

/** Parts of conditions, with holes: `~` is filled with another part. */
export const CEL = parts(String.raw`
tags.Owner  tags['Cost Center']  tags  resource.name  resource.status  resource.age  resource.created_at  resource.parent.tags.Owner
resource.lineage.dataset_group.tags  resource.summary.trainingType  resource.summary  account.tags.Owner  account.name  now  null  true  k
1  -9223372036854775808  18446744073709551615u  1.5e308  0  'a'  'a(b'  b'x'  r'\d'  ''  []  [1, 'a', null]  {}  {'a': 1}  days(7)
duration('1h')  timestamp('2026-01-01T00:00:00Z')  size(~)  int(~)  double(~)  string(~)  timestamp(~)  duration(~)  days(~)  has(tags.Owner)
has(~)  type(~)  ~ == ~  ~ != ~  ~ < ~  ~ >= ~  ~ && ~  ~ || ~  !~  -~  ~ + ~  ~ - ~  ~ * ~  ~ / ~  ~ % ~  ~ ? ~ : ~  ~ in ~  ~ in tags  (~)
~[~]  ~.x  ~.startsWith(~)  ~.endsWith('a')  ~.contains(~)  ~.matches(~)  ~.matches('(a+)+$')  ~.size()  ~.lowerAscii()  ~.upperAscii()
~.trim()  ~.substring(~)  ~.substring(1, ~)  ~.indexOf(~)  ~.lastIndexOf('a')  ~.split('')  ~.join(~)  ~.replace('a', ~)  ~.getFullYear()
~.all(k, ~)  ~.exists(k, ~)  ~.exists_one(k, ~)  ~.map(k, ~)  ~.filter(k, ~)  cel.bind(k, ~, ~)  dyn(~)  optional.of(~)  math.greatest(~, ~)
hasKey(tags, ~)  nullableInt(~)  matchesRe2(~, ~)  ~ ~  ~ @ ~  ~ // x`);

/** Parts of patterns, with holes. */
export const REGEX = parts(String.raw`
a  ~~  ~|~  (~)  (~)*  (~)+  (~)?  (~){0,1000}  (~){99}  (?:~){10}  [~]  [^a]  [a-z]  \d  \w+  \p{L}  \p{Greek}  \PN  .  .*  ^~$  \b  (?i)~
(?P<n>~)  (?=~)  (?<!~)  \1  (a|a)*  (a*)*$  x{1001}  \Q~\E  \x{10FFFF}  \C  [[:alpha:]]  [z-a]  \  (  )  *`);

/** Parts stand on lines and between two spaces. */
function parts(text: string): readonly string[] {
  return text.trim().split(/ {2,}|\n/);
}
