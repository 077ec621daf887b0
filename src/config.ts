import { readFile } from "node:fs/promises";
import { isAbsolute, join, relative } from "node:path";
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { timingProblems } from "./cron/problems.ts";
import { DAYS } from "./cron/quiet-hours.ts";
import { isTimeZone } from "./cron/zone.ts";

/** The user gave something that cannot be done: the message says what, where and what to do. Exit code 2, nothing was done. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Something outside is missing (credentials, database, endpoint): exit code 4, nothing was done. */
export class CannotBeginError extends Error {
  override name = "CannotBeginError";
}

const accountId = z
  .string("an account id is text: put it in quotes")
  .regex(/^\d{12}$/, "an account id has twelve digits");
const rate = (burst: number, per_second: number) =>
  z
    .strictObject({
      burst: z.number().positive().default(burst),
      per_second: z.number().positive().default(per_second),
    })
    .prefault({});
const rampedRate = () =>
  z
    .strictObject({ start: z.number().positive().default(10), most: z.number().positive().default(40) })
    .refine(({ start, most }) => start <= most, "start is above most")
    .prefault({});

const wallTime = () =>
  z.string("a time is text: put it in quotes").regex(/^([01]\d|2[0-3]):[0-5]\d$/, "a time from 00:00 to 23:59");

/** A schedule in `tagwarden.yaml`. */
const ScheduleEntry = z
  .strictObject({
    id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "lower-case letters, digits and dashes"),
    cron: z.string(),
    time_zone: z.string().default("UTC"),
    jitter_seconds: z.number().int().min(0).default(0),
    catch_up: z.enum(["latest", "none"]).default("latest"),
    overlap: z.enum(["skip", "queue"]).default("skip"),
    enabled: z.boolean().default(true),
    accounts: z.array(accountId).min(1, "name at least one account, or leave accounts out").optional(),
    regions: z
      .array(z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "not a region"))
      .min(1, "name at least one region, or leave regions out")
      .optional(),
    types: z.array(z.string()).min(1, "name at least one type, or leave types out").optional(),
  })
  .superRefine((schedule, context) => {
    for (const { field, message } of timingProblems(schedule)) {
      context.addIssue({ code: "custom", path: [field], message });
    }
  });

/** Other managed policies than AWS's own are of the account that is entered: a name, which has an ARN of its own in each. */
const policyName = z
  .string()
  .regex(
    /^([\w+=,.@-]{1,128}|arn:[a-z-]+:iam::aws:policy\/[\w+=,.@/-]{1,512})$/,
    "the name of a managed policy, or the ARN of one of AWS's own",
  );
/** AWS takes ten managed policies for a session at most. */
const sessionPolicy = () =>
  z
    .union(
      [z.enum(["narrow", "off"]), z.array(policyName).min(1).max(10)],
      "narrow, off, or a list of one to ten policies",
    )
    .default("narrow");
const region = z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "not a region");
const unit = z.string().min(1).max(1000);

/** What `tagwarden.yaml` may say. Every field has a default; an unknown one is refused. */
export const ConfigFile = z.strictObject({
  targets: z
    .strictObject({
      accounts: z.array(accountId).min(1, "name at least one account, or leave accounts out").optional(),
      organization: z
        .strictObject({
          units: z
            .union(
              [z.literal("all"), z.array(unit).min(1, "name at least one unit, or say all")],
              "a list of units, or all",
            )
            .default("all"),
          exclude: z.array(accountId).default([]),
        })
        .optional(),
      regions: z
        .union(
          [z.literal("all"), z.array(region).min(1, "name at least one region, or say all")],
          "a list of regions, or all",
        )
        .optional(),
      role: z
        .string()
        .regex(/^[\w+=,.@-]{1,64}$/, "the name of a role, without its ARN")
        .optional(),
      repair_role: z
        .string()
        .regex(/^[\w+=,.@-]{1,64}$/, "the name of a role, without its ARN")
        .optional(),
      external_id: z
        .string()
        .regex(/^[\w+=,.@:/-]{2,1224}$/)
        .optional(),
      session_name: z
        .string()
        .regex(/^[\w+=,.@-]{2,64}$/)
        .default("tagwarden"),
      session_policy: z.strictObject({ scan: sessionPolicy(), repair: sessionPolicy() }).prefault({}),
    })
    .refine(({ accounts, organization }) => accounts === undefined || organization === undefined, {
      path: ["organization"],
      message: "accounts and organization both say what to scan: keep one of them",
    })
    .prefault({}),
  schedules: z
    .array(ScheduleEntry)
    .refine((all) => new Set(all.map((one) => one.id)).size === all.length, "two schedules have the same id")
    .default([]),
  accounts: z
    .record(
      z.string().regex(/^\d{12}$/, "an account id has twelve digits, in quotes"),
      z.strictObject({
        name: z.string().min(1).max(200),
        tags: z.record(z.string(), z.string("the value of a tag is text: put it in quotes")).default({}),
      }),
    )
    .default({}),
  mass_close: z
    .strictObject({
      share: z.number().min(0).max(1).default(0.3),
      count: z.number().int().min(0).default(50),
    })
    .prefault({}),
  retention: z
    .strictObject({
      events_months: z.number().int().min(1).max(1200).default(13),
      scans_days: z.number().int().min(1).max(36_500).default(400),
      rollups_years: z.number().int().min(1).max(100).default(5),
    })
    .prefault({}),
  remediation: z
    .strictObject({
      max_changes: z.number().int().positive().default(1000),
      max_changes_per_target: z.number().int().positive().default(500),
      max_changes_per_hour: z.number().int().positive().default(5000),
      error_share: z.number().min(0).max(1).default(0.2),
      error_minimum: z.number().int().positive().default(20),
      actions_at_once: z.number().int().min(1).max(64).default(8),
      cloudtrail: z.boolean().default(false),
      canary: z
        .strictObject({
          share: z.number().min(0).max(1).default(0.05),
          least: z.number().int().min(0).default(5),
        })
        .prefault({}),
      quiet_hours: z
        .array(
          z.strictObject({
            days: z
              .array(z.enum(DAYS))
              .min(1)
              .default([...DAYS]),
            from: wallTime(),
            to: wallTime(),
            time_zone: z
              .string()
              .refine(isTimeZone, "a time zone of the IANA database, like Europe/Berlin")
              .default("UTC"),
          }),
        )
        .default([]),
      approval: z
        .strictObject({
          by: z.enum(["anyone", "another"]).default("anyone"),
          hours: z.number().positive().max(8760).default(168),
        })
        .prefault({}),
    })
    .prefault({}),
  limits: z
    .strictObject({
      index: rate(150, 15),
      list: rate(50, 10),
      read: rampedRate(),
      write: rampedRate(),
      sample_share: z.number().min(0).max(1).default(0.0002),
      patience_seconds: z.number().positive().default(60),
      targets_at_once: z.number().int().min(1).max(64).default(4),
      target_hours: z.number().positive().max(500).default(12),
      scan_hours: z.number().positive().max(500).default(24),
    })
    .prefault({}),
});

/** `tagwarden.yaml`, checked, with every default filled in. */
export type ConfigFile = z.infer<typeof ConfigFile>;

/** Everything a command needs to know before it begins: environment and file, checked. */
export type Config = ConfigFile & {
  /** PostgreSQL server; null: the embedded database under `data_dir`. */
  readonly database_url: string | null;
  readonly data_dir: string;
  /** Whether the user chose the folder; otherwise a sandbox has its own below it. */
  readonly data_dir_given: boolean;
  /** Folder of policy files. */
  readonly policies: string;
  readonly host: string;
  readonly port: number;
  /** Port of the metrics; null: they are off. */
  readonly metrics_port: number | null;
  /** Endpoint that the AWS SDK would use for Personalize, when the environment overrides it. */
  readonly endpoint: string | null;
  readonly log_level: string;
  /** Where the file says something, as `file:line`; null when there is no file. A field as `targets.accounts.0`. */
  readonly locate: (field: string) => string | null;
  /** Keys of which whoever delivers an event brings one; none: events are not taken. */
  readonly events_keys: readonly string[];
};

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads environment and configuration file. Throws UsageError that names the variable, or the file with line and column. */
export async function loadConfig(env: Environment, cwd: string): Promise<Config> {
  const path = env["TAGWARDEN_CONFIG"] ?? "tagwarden.yaml";
  const full = isAbsolute(path) ? path : join(cwd, path);
  const text = await readFile(full, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" && env["TAGWARDEN_CONFIG"] === undefined) return null;
    throw new UsageError(`${path}: cannot be read (${error.code ?? error.message}). TAGWARDEN_CONFIG names this file.`);
  });
  const name = relative(cwd, full);
  const file = text === null ? ConfigFile.parse({}) : parseConfigFile(name, text);
  return {
    ...file,
    database_url: databaseUrl(env["DATABASE_URL"]),
    data_dir: env["TAGWARDEN_DATA_DIR"] || ".tagwarden",
    data_dir_given: Boolean(env["TAGWARDEN_DATA_DIR"]),
    policies: env["TAGWARDEN_POLICIES"] || "policies",
    host: env["HOST"] || "127.0.0.1",
    port: port("PORT", env["PORT"] || "8080"),
    metrics_port: env["METRICS_PORT"] ? port("METRICS_PORT", env["METRICS_PORT"]) : null,
    endpoint: env["AWS_ENDPOINT_URL_PERSONALIZE"] || env["AWS_ENDPOINT_URL"] || null,
    log_level: logLevel(env["LOG_LEVEL"]),
    locate: (field) => (text === null ? null : `${name}:${lineOf(text, field)}`),
    events_keys: eventsKeys(env["TAGWARDEN_EVENTS_KEY"]),
  };
}

/** Checks the text of a configuration file. Throws UsageError with every problem, one a line: `file:line:column: what`. */
export function parseConfigFile(path: string, text: string): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  if (document.errors.length > 0) {
    throw new UsageError(
      document.errors.map((error) => `${at(error.pos[0])}: ${error.message.split("\n")[0]}`).join("\n"),
    );
  }
  const result = ConfigFile.safeParse(document.toJS({ maxAliasCount: 100 }) ?? {});
  if (result.success) return result.data;
  const problems = result.error.issues.map(nearestIssue).map((issue) => {
    const unknown = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
    const keys = unknown === undefined ? issue.path : [...issue.path, unknown];
    return `${at(offsetOf(document, issue.path, unknown))}: ${keys.join(".") || "the file"}: ${issue.message}`;
  });
  throw new UsageError(`${problems.join("\n")}\ndocs/configuration.md lists every field.`);
}

/** The line of a field, or of what is around it. */
function lineOf(text: string, field: string): number {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const path = field.split(".").map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  return lines.linePos(offsetOf(document, path.slice(0, -1), path.at(-1))).line;
}

/** Of a field that may be one thing or another: what is wrong with the one that came nearest, so that it is said where it is. */
function nearestIssue(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== "invalid_union") return issue;
  const inner = issue.errors.flat().toSorted((one, other) => other.path.length - one.path.length)[0];
  if (inner === undefined || inner.path.length === 0) return issue;
  return nearestIssue({ ...inner, path: [...issue.path, ...inner.path] });
}

/** Where in the text a problem is: at an unknown key itself, else at the value, else at the nearest value around it. */
function offsetOf(document: Document, path: readonly PropertyKey[], key: string | number | undefined): number {
  for (let depth = path.length; depth >= 0; depth--) {
    const node: unknown = document.getIn(path.slice(0, depth), true);
    if (!isNode(node)) continue;
    const pair = isMap(node) ? node.items.find(({ key: one }) => isScalar(one) && one.value === key) : undefined;
    const found = pair && isNode(pair.key) ? pair.key : node;
    return found.range?.[0] ?? 0;
  }
  return 0;
}

function port(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0 || number > 65535) {
    throw new UsageError(
      `${name} is ${JSON.stringify(text)}: it has to be a number from 0 to 65535 (0: any free port).`,
    );
  }
  return number;
}

function databaseUrl(text: string | undefined): string | null {
  if (!text) return null;
  if (!/^postgres(ql)?:\/\/./.test(text)) {
    throw new UsageError(
      "DATABASE_URL has to begin with postgres:// or postgresql://, as in postgres://user:password@host:5432/tagwarden.",
    );
  }
  return text;
}

/** One key, or two by a comma while it is changed. A key is never repeated in a message. */
function eventsKeys(text: string | undefined): string[] {
  const keys = (text ?? "").split(",").map((key) => key.trim());
  if (!text?.trim()) return [];
  if (keys.length > 2 || !keys.every((key) => /^[\x21-\x7e]{20,256}$/.test(key))) {
    throw new UsageError(
      "TAGWARDEN_EVENTS_KEY has to be one key, or two separated by a comma: 20 to 256 printable ASCII characters each, without spaces. To make one: openssl rand -hex 32",
    );
  }
  return keys;
}

function logLevel(text: string | undefined): string {
  const levels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"];
  if (text && !levels.includes(text))
    throw new UsageError(`LOG_LEVEL is ${JSON.stringify(text)}: it has to be one of ${levels.join(", ")}.`);
  return text || "info";
}
