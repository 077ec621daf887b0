import { LIST_ACTIONS, LOOKUP_EVENTS, READ_INDEX, READ_TAGS } from "../inventory/actions.ts";
import { recordedCalls } from "../inventory/aws/lookup-events.ts";
import { callPersonalize } from "../inventory/aws/personalize-call.ts";
import { taggingSdk } from "../inventory/aws/sdk.ts";
import type { Aws, TargetApi } from "../inventory/aws/session.ts";
import { toReadError } from "../inventory/call-error.ts";
import type { ReadError, Target } from "../inventory/resource.ts";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES } from "../inventory/resource-types.ts";
import { forEachLimited } from "./for-each-limited.ts";

/** Something that a scan needs, tried. */
export type Check = {
  readonly account_id: string;
  /** Null: it is about the account as a whole. */
  readonly region: string | null;
  /** As IAM calls it. */
  readonly action: string;
  /** `not_tried`: there is nothing there to try it on. */
  readonly state: "ok" | "failed" | "not_tried";
  readonly error: ReadError | null;
};

const ACCOUNTS_AT_ONCE = 8;
const REGIONS_AT_ONCE = 4;

/**
 * Tries what a scan needs in each target, without reading more than one resource of each type: to enter the account, the
 * thirteen lists, the tags of one resource, the tag index, and the event history where `cloudtrail` is on. Errors of AWS are results; throws only when the signal aborts.
 */
export async function checkTargets(
  aws: Pick<Aws, "caller" | "target">,
  targets: readonly Target[],
  options: { signal: AbortSignal; onDone: (done: number) => void; cloudtrail: boolean; now: () => Date },
): Promise<Check[]> {
  const { signal, onDone } = options;
  const checks = new Map<Target | string, Check[]>();
  let done = 0;
  const accounts = [...Map.groupBy(targets, ({ account_id }) => account_id)];
  await forEachLimited(accounts, ACCOUNTS_AT_ONCE, async ([account_id, ofAccount]) => {
    const entry = await checkEntry(aws, account_id, ofAccount);
    checks.set(account_id, [entry]);
    await forEachLimited(ofAccount, REGIONS_AT_ONCE, async (target) => {
      signal.throwIfAborted();
      if (entry.state === "ok") checks.set(target, await checkTarget(await aws.target(target), options));
      onDone(++done);
    });
  });
  return accounts.flatMap(([account_id, ofAccount]) =>
    [account_id, ...ofAccount].flatMap((place) => checks.get(place) ?? []),
  );
}

/** Whether the account can be entered: the role assumed, and the session of the account that was meant. */
async function checkEntry(
  aws: Pick<Aws, "caller" | "target">,
  account_id: string,
  [first]: readonly Target[],
): Promise<Check> {
  const about = { account_id, region: null };
  const own = (await aws.caller()).account_id === account_id;
  if (!first || own) return { ...about, action: "sts:GetCallerIdentity", state: "ok", error: null };
  try {
    await aws.target(first);
    return { ...about, action: "sts:AssumeRole", state: "ok", error: null };
  } catch (cause) {
    const error = toReadError(cause, "AssumeRole");
    const action = error.name === "WrongAccountError" ? "sts:GetCallerIdentity" : "sts:AssumeRole";
    return { ...about, action, state: "failed", error };
  }
}

async function checkTarget(
  api: TargetApi,
  { signal, cloudtrail, now }: { signal: AbortSignal; cloudtrail: boolean; now: () => Date },
): Promise<Check[]> {
  const { account_id, region } = api.target;
  const attempt = async <T>(action: string, run: (operation: string) => Promise<T>) => {
    const operation = action.split(":")[1] ?? "";
    try {
      const value = await run(operation);
      return { check: { account_id, region, action, state: "ok", error: null } as const, value };
    } catch (cause) {
      signal.throwIfAborted();
      const error = toReadError(cause, operation);
      return { check: { account_id, region, action, state: "failed", error } as const, value: null };
    }
  };
  const indexed = attempt(READ_INDEX, (operation) => askIndex(api, operation, signal));
  const lookup = cloudtrail ? [attempt(LOOKUP_EVENTS, () => lookUp(api, now(), signal))] : [];
  const lists = await Promise.all(
    LIST_ACTIONS.map((action, index) =>
      attempt(action, async (operation) => {
        const reply = await callPersonalize(api, "list", operation, { maxResults: 1 }, signal);
        return firstArn(reply, index);
      }),
    ),
  );
  const arn = lists.map(({ value }) => value).find((found) => found !== null);
  const tags: Check = arn
    ? (await attempt(READ_TAGS, (operation) => callPersonalize(api, "read", operation, { resourceArn: arn }, signal)))
        .check
    : { account_id, region, action: READ_TAGS, state: "not_tried", error: null };
  return [
    ...lists.map(({ check }) => check),
    tags,
    (await indexed).check,
    ...(await Promise.all(lookup)).map(({ check }) => check),
  ];
}

/** ARN of the resource that a list shows; null when it shows none. The lists are in the order of the table of types. */
function firstArn(reply: Readonly<Record<string, unknown>>, index: number): string | null {
  const type = RESOURCE_TYPE_NAMES[index];
  if (type === undefined) return null;
  const { list_key, arn_field } = RESOURCE_TYPES[type];
  const entries = reply[list_key];
  const [first] = Array.isArray(entries) ? (entries as Readonly<Record<string, unknown>>[]) : [];
  const arn = first?.[arn_field];
  return typeof arn === "string" ? arn : null;
}

async function askIndex(api: TargetApi, operation: string, signal: AbortSignal): Promise<unknown> {
  const { GetResourcesCommand } = await taggingSdk();
  const command = new GetResourcesCommand({ ResourcesPerPage: 1 });
  return api.call("index", operation, (abortSignal) => api.tagging.send(command, { abortSignal }), signal);
}

/** A first page, of the last minute. */
async function lookUp(api: TargetApi, now: Date, signal: AbortSignal): Promise<unknown> {
  const span = { after: new Date(now.getTime() - 60_000), until: null };
  for await (const page of recordedCalls(api, "TagResource", span, signal)) return page;
  return null;
}
