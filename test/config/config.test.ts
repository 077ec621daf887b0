import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig, parseConfigFile, UsageError } from "../../src/config.ts";

const folder = () => mkdtemp(join(tmpdir(), "tagwarden-config-"));

test("without a file and an environment every setting has its default", async () => {
  const config = await loadConfig({}, await folder());
  expect(config).toMatchObject({
    database_url: null,
    data_dir: ".tagwarden",
    policies: "policies",
    host: "127.0.0.1",
    port: 8080,
    endpoint: null,
    mass_close: { share: 0.3, count: 50 },
    remediation: {
      max_changes: 1000,
      max_changes_per_target: 500,
      error_share: 0.2,
      error_minimum: 20,
      cloudtrail: false,
      approval: { by: "anyone", hours: 168 },
    },
    limits: {
      index: { burst: 150, per_second: 15 },
      list: { burst: 50, per_second: 10 },
      read: { start: 10, most: 40 },
    },
    schedules: [],
  });
});

test("a file that TAGWARDEN_CONFIG names has to exist", async () => {
  await expect(loadConfig({ TAGWARDEN_CONFIG: "absent.yaml" }, await folder())).rejects.toThrow(
    /absent\.yaml: cannot be read/,
  );
});

test("the file's settings are used, and the endpoint for Personalize wins over the general one", async () => {
  const cwd = await folder();
  await writeFile(
    join(cwd, "tagwarden.yaml"),
    "targets:\n  accounts: ['000011112222']\n  regions: [eu-west-1]\n  role: Audit\n",
  );
  const config = await loadConfig({ AWS_ENDPOINT_URL: "http://a", AWS_ENDPOINT_URL_PERSONALIZE: "http://b" }, cwd);
  expect(config.targets).toMatchObject({ accounts: ["000011112222"], regions: ["eu-west-1"], role: "Audit" });
  expect(config.endpoint).toBe("http://b");
});

test("an organization, all regions and the policies of sessions are read, and found again by line", async () => {
  const cwd = await folder();
  const text = `targets:
  organization:
    units: [Production, ou-ab12-cdefgh34]
    exclude:
      - "444455556666"
  regions: all
  session_policy: {scan: off, repair: [Mine, "arn:aws:iam::aws:policy/ReadOnlyAccess"]}
`;
  await writeFile(join(cwd, "tagwarden.yaml"), text);
  const config = await loadConfig({}, cwd);
  expect(config.targets).toMatchObject({
    organization: { units: ["Production", "ou-ab12-cdefgh34"], exclude: ["444455556666"] },
    regions: "all",
    session_policy: { scan: "off", repair: ["Mine", "arn:aws:iam::aws:policy/ReadOnlyAccess"] },
  });
  expect(
    ["targets.organization", "targets.organization.units.1", "targets.organization.exclude.0", "targets.regions"].map(
      config.locate,
    ),
  ).toEqual([2, 3, 5, 6].map((line) => `tagwarden.yaml:${line}`));
  expect((await loadConfig({}, await folder())).locate("targets.regions")).toBeNull();
  expect(parseConfigFile("t.yaml", "targets: {organization: {}}").targets.organization).toEqual({
    units: "all",
    exclude: [],
  });
});

test.each([
  ["an unknown field", "targets:\n  acounts: ['111122223333']\n", /t\.yaml:2:3: targets\.acounts: Unrecognized key/],
  [
    "an account id that YAML reads as a number",
    "targets:\n  accounts: [111122223333]\n",
    /t\.yaml:2:14: targets\.accounts\.0: an account id is text/,
  ],
  [
    "neither a list of regions nor all",
    "targets:\n  regions: most\n",
    /t\.yaml:2:12: targets\.regions: a list of regions, or all/,
  ],
  ["an empty list of regions", "targets:\n  regions: []\n", /targets\.regions: name at least one region/],
  [
    "accounts beside an organization",
    "targets:\n  accounts: ['111122223333']\n  organization: {}\n",
    /t\.yaml:3:17: targets\.organization: accounts and organization both say what to scan: keep one/,
  ],
  ["no unit", "targets:\n  organization:\n    units: []\n", /targets\.organization\.units: name at least one unit/],
  [
    "an excluded account that YAML reads as a number",
    "targets:\n  organization:\n    exclude: [111122223333]\n",
    /t\.yaml:3:15: targets\.organization\.exclude\.0: an account id is text/,
  ],
  [
    "a managed policy of one account, which no other has",
    "targets:\n  session_policy:\n    scan: ['arn:aws:iam::111122223333:policy/Mine']\n",
    /t\.yaml:3:12: targets\.session_policy\.scan\.0: the name of a managed policy, or the ARN of one of AWS's own/,
  ],
  [
    "a session policy of no kind",
    "targets:\n  session_policy: {repair: wide}\n",
    /targets\.session_policy\.repair: narrow, off, or a list/,
  ],
  ["no region", "targets:\n  regions: [Frankfurt]\n", /t\.yaml:2:13: targets\.regions\.0: not a region/],
  [
    "a time zone that does not exist",
    "schedules:\n  - id: nightly\n    cron: '0 3 * * *'\n    time_zone: Mars/Base\n",
    /t\.yaml:4:16: schedules\.0\.time_zone: "Mars\/Base" is not a time zone/,
  ],
  [
    "a cron expression that is none",
    "schedules:\n  - id: nightly\n    cron: '0 25 * * *'\n",
    /^t\.yaml:3:11: schedules\.0\.cron: The hour, "25", is none: 0 to 23/,
  ],
  [
    "a cron expression with seconds",
    "schedules:\n  - id: nightly\n    cron: '0 0 3 * * *'\n",
    /^t\.yaml:3:11: schedules\.0\.cron: A cron expression has five fields/,
  ],
  [
    "a jitter beyond the next slot",
    "schedules:\n  - id: often\n    cron: '*/5 * * * *'\n    jitter_seconds: 900\n",
    /^t\.yaml:4:21: schedules\.0\.jitter_seconds: a jitter of 900 s would reach the next slot/,
  ],
  [
    "an unknown policy of a schedule",
    "schedules:\n  - {id: often, cron: '*/5 * * * *', catch_up: all}\n",
    /^t\.yaml:2:48: schedules\.0\.catch_up: /,
  ],
  [
    "an unknown field of a schedule",
    "schedules:\n  - {id: often, cron: '*/5 * * * *', jitter: 5}\n",
    /^t\.yaml:2:38: schedules\.0\.jitter: Unrecognized key/,
  ],
  [
    "two schedules of one id",
    "schedules:\n  - {id: a, cron: '* * * * *'}\n  - {id: a, cron: '* * * * *'}\n",
    /two schedules have the same id/,
  ],
  ["broken YAML", "targets: [\n", /t\.yaml:2:1: /],
  ["a field given twice", "mass_close: {}\nmass_close: {}\n", /t\.yaml:2:1: Map keys must be unique/],
])("%s is refused with file, line and column", (_, text, message) => {
  expect(() => parseConfigFile("t.yaml", text)).toThrow(UsageError);
  expect(() => parseConfigFile("t.yaml", text)).toThrow(message);
});

test.each([
  [{ PORT: "eighty" }, /PORT is "eighty"/],
  [{ PORT: "70000" }, /from 0 to 65535/],
  [{ DATABASE_URL: "mysql://x" }, /DATABASE_URL has to begin with postgres/],
  [{ LOG_LEVEL: "loud" }, /LOG_LEVEL is "loud"/],
])("the environment %j is refused", async (env, message) => {
  await expect(loadConfig(env, await folder())).rejects.toThrow(message);
});

test("there is one key for events, two while it is changed, or none; a bad one is refused and not repeated", async () => {
  const cwd = await folder();
  const load = async (text: string) => (await loadConfig({ TAGWARDEN_EVENTS_KEY: text }, cwd)).events_keys;
  const [one, two] = ["0123456789abcdef0123", "fedcba9876543210fedc"] as const;
  expect((await loadConfig({}, cwd)).events_keys).toEqual([]);
  expect(await load(" ")).toEqual([]);
  expect(await load(one)).toEqual([one]);
  expect(await load(`${one}, ${two}`)).toEqual([one, two]);
  for (const bad of ["short-secret", `${one},`, `${one},${two},${one}`, `${one} ${two}`, `${one}ü`]) {
    const error = await load(bad).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toMatch(/^TAGWARDEN_EVENTS_KEY has to be one key, or two/);
    expect((error as Error).message).not.toContain(bad.trim());
  }
});
