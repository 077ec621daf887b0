import type { STSClient } from "@aws-sdk/client-sts";
import type { Purpose } from "../actions.ts";
import type { LimitSettings, SteadyRate } from "../limiter.ts";
import { assumeRole, roleArn, roleName, type RoleSettings } from "./assume-role.ts";
import { CallCounts } from "./call-counts.ts";
import { type AwsCredentials, rememberCredentials, type RememberedCredentials } from "./credentials.ts";
import { type Attempt, Gate, type GateSettings } from "./gate.ts";
import { type OrganizationsApi, organizationsApi } from "./organizations.ts";
import { cloudtrailSdk, personalizeSdk, taggingSdk } from "./sdk.ts";
import { type ApiKind, type TargetApi, targetApi, type TargetGates } from "./target-api.ts";

export type { ApiKind, TargetApi } from "./target-api.ts";

/** How AWS is reached. What is absent is taken from where the AWS SDK takes it: environment, shared files, metadata services. */
export type AwsSettings = {
  /** In place of every service's own endpoint, as for the sandbox. */
  readonly endpoint?: string;
  /** Region of calls that belong to no target: who the caller is. */
  readonly region?: string;
  readonly credentials?: AwsCredentials;
  /** Role to assume in every account that is not the caller's own. */
  readonly role?: RoleSettings;
  readonly limits: LimitSettings;
  /** Share of the answers of the tag index that are checked with the service, 0 to 1; none when absent. */
  readonly sample_share?: number;
  /** How long a call that keeps failing is tried before its error counts. */
  readonly patience_ms: number;
  /** A reply that takes longer is a failed attempt; 10 seconds when absent. */
  readonly timeout_ms?: number;
  /** Hears of every attempt at a call as it ends, for metrics. */
  readonly onCall?: (call: AwsCall) => void;
};

/** A service of AWS that is called, as it names itself in endpoints. */
type AwsService = "personalize" | "tagging" | "sts" | "organizations" | "cloudtrail";

/** One attempt at a call of AWS, and of which service. */
export type AwsCall = Attempt & { readonly service: AwsService };

/** The caller, as STS sees it. */
type Caller = { readonly account_id: string; readonly arn: string; readonly partition: string };

/** A connection to AWS with all its accounts and regions. */
export type Aws = {
  /** Who we are. Asked once, and again after a failure. */
  caller(): Promise<Caller>;
  /** The region that the AWS SDK would use; null when none is set. */
  region(): Promise<string | null>;
  /**
   * The APIs of a target, the same object for the same target and purpose, `scan` when none is given. In other accounts than the
   * caller's own, one for scans cannot write, and one for repairs can do nothing but read and write tags. Throws
   * WrongAccountError, MissingRoleError, or what STS answered to AssumeRole.
   */
  target(target: { readonly account_id: string; readonly region: string }, purpose?: Purpose): Promise<TargetApi>;
  /** ARN under which our writes in an account appear in its CloudTrail; null: none can be made there. */
  principal(account_id: string): Promise<string | null>;
  /** AWS Organizations, asked with the caller's own credentials. */
  readonly organizations: OrganizationsApi;
  readonly calls: CallCounts;
  /** Those of `calls` that were made in one target; AssumeRole and the like belong to none. */
  callsIn(target: { readonly account_id: string; readonly region: string }): CallCounts;
  close(): void;
};

/** The credentials for an account belong to another one. Nothing was read with them. */
class WrongAccountError extends Error {
  override name = "WrongAccountError";
}

/** Another account than the caller's own, and no role to assume there. */
class MissingRoleError extends Error {
  override name = "MissingRoleError";
}

/** STS allows hundreds of calls a second; this many is plenty. */
const STS_RATE: SteadyRate = { burst: 50, per_second: 20 };
/** Nothing begins before STS has answered, and whoever waits should soon learn that nobody answers. */
const STS_PATIENCE_MS = 15_000;
/** AWS names no rate for Organizations; all that is asked is a handful of calls, which can wait. */
const ORGANIZATIONS_RATE: SteadyRate = { burst: 10, per_second: 5 };
/** AWS allows two a second in an account and region, to all who ask. Source: CloudTrail API Reference, LookupEvents. */
const EVENTS_RATE: SteadyRate = { burst: 1, per_second: 2 };
/** Calls of one API in one target that may wait for their replies at the same time. */
const IN_FLIGHT = 16;
const MAX_SOCKETS = 256;

/** Opens AWS: nothing is loaded or sent before the first call. */
export function openAws(settings: AwsSettings): Aws {
  const calls = new CallCounts();
  const { patience_ms, timeout_ms = 10_000 } = settings;
  const gates: GateSettings = { patience_ms, timeout_ms, counts: calls };
  const { onCall } = settings;
  const heard = (service: AwsService): Pick<GateSettings, "onAttempt"> => ({
    onAttempt: onCall && ((attempt) => onCall({ ...attempt, service })),
  });
  const sts_patience_ms = Math.min(patience_ms, STS_PATIENCE_MS);
  const stsGate = new Gate(STS_RATE, IN_FLIGHT, { ...gates, ...heard("sts"), patience_ms: sts_patience_ms });
  const closing = new AbortController();
  const onClose: (() => void)[] = [() => closing.abort(new Error("The connection to AWS was closed."))];

  const sdk = once(async () => {
    const [personalize, tagging, sts, { NodeHttpHandler }] = await Promise.all([
      personalizeSdk(),
      taggingSdk(),
      import("@aws-sdk/client-sts"),
      import("@smithy/node-http-handler"),
    ]);
    // One handler for all: its agents keep connections by host. The gates set the pace, so they never wait for sockets.
    const requestHandler = new NodeHttpHandler({
      connectionTimeout: Math.min(5000, timeout_ms),
      requestTimeout: timeout_ms,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
    });
    onClose.push(() => requestHandler.destroy());
    const { endpoint } = settings;
    // Attempts are ours to count and to space, so the SDK makes one.
    return {
      personalize,
      tagging,
      sts,
      common: { requestHandler, maxAttempts: 1, ...(endpoint !== undefined && { endpoint }) },
    };
  });

  const base = rememberCredentials(async () => {
    if (settings.credentials) return settings.credentials;
    const { fromNodeProviderChain } = await import("@aws-sdk/credential-providers");
    // A new chain each time: an old one remembers what has expired.
    return fromNodeProviderChain()();
  }, Date.now);

  const stsCall = <T>(
    credentials: RememberedCredentials,
    operation: string,
    run: (signal: AbortSignal) => Promise<T>,
  ) => {
    const held = credentials.held();
    const renew = () => credentials.renew(held);
    return stsGate.call({ operation, run, retry: true, renew, signal: closing.signal });
  };
  const stsClient = async (region: string | null, credentials: RememberedCredentials): Promise<STSClient> => {
    const { sts, common } = await sdk();
    return new sts.STSClient({ ...common, credentials: credentials.provider, ...(region !== null && { region }) });
  };
  const identify = async (region: string, credentials: RememberedCredentials): Promise<Caller> => {
    const [{ sts }, client] = await Promise.all([sdk(), stsClient(region, credentials)]);
    const identity = await stsCall(credentials, "GetCallerIdentity", (abortSignal) =>
      client.send(new sts.GetCallerIdentityCommand({}), { abortSignal }),
    );
    const { Account: account_id, Arn: arn } = identity;
    if (!account_id || !arn) throw new Error("STS did not say who the caller is.");
    return { account_id, arn, partition: arn.split(":")[1] ?? "aws" };
  };

  const region = once(async () => {
    if (settings.region) return settings.region;
    const client = await stsClient(null, base);
    // The SDK rejects when no region is set anywhere.
    return client.config.region().catch(() => null);
  });
  const caller = once(async () => identify((await region()) ?? "us-east-1", base));

  const assumed = remember(async (_key, account_id: string, purpose: Purpose, targetRegion: string) => {
    const [{ partition }, { sts }, baseRegion] = await Promise.all([caller(), sdk(), region()]);
    if (!settings.role || roleName(settings.role, purpose) === undefined) {
      throw new MissingRoleError(
        `Account ${account_id} is not the caller's own, and no role is set that could be assumed there (targets.role).`,
      );
    }
    const role = { settings: settings.role, partition, account_id, purpose };
    const client = await stsClient(baseRegion ?? targetRegion, base);
    const assume = () =>
      assumeRole(sts, role, (command) =>
        stsCall(base, "AssumeRole", (abortSignal) => client.send(command, { abortSignal })),
      );
    const credentials = rememberCredentials(assume, Date.now);
    const identity = await identify(baseRegion ?? targetRegion, credentials);
    if (identity.account_id !== account_id) {
      throw new WrongAccountError(`The role ${roleArn(role)} led to account ${identity.account_id} (${identity.arn}).`);
    }
    return credentials;
  });

  const counts = new Map<string, CallCounts>();
  const countsIn = (key: string) => {
    const known = counts.get(key) ?? new CallCounts(calls);
    counts.set(key, known);
    return known;
  };
  const gatesOf = remember(async (key) => targetGates(settings.limits, { ...gates, counts: countsIn(key) }, heard));
  const targets = remember(async (_key, account_id: string, region: string, purpose: Purpose) => {
    const [{ personalize, tagging, common }, me] = await Promise.all([sdk(), caller()]);
    const own = account_id === me.account_id;
    const credentials =
      own && roleName(settings.role, purpose, own) === undefined
        ? base
        : await assumed(`${account_id}/${purpose}`, account_id, purpose, region);
    const config = { ...common, region, credentials: credentials.provider };
    const clients = {
      personalize: new personalize.PersonalizeClient(config),
      tagging: new tagging.ResourceGroupsTaggingAPIClient(config),
      cloudtrail: once(async () => new (await cloudtrailSdk()).CloudTrailClient(config)),
    };
    for (const { middlewareStack } of [clients.personalize, clients.tagging]) {
      // It masks every field of every reply for a log that nobody keeps: a good part of a scan's work.
      middlewareStack.remove("loggerMiddleware");
    }
    const target = { partition: me.partition, account_id, region };
    return targetApi(
      target,
      clients,
      credentials,
      await gatesOf(`${account_id}/${region}`),
      closing.signal,
      settings.sample_share ?? 0,
    );
  });

  const principal = async (account_id: string) => {
    const { role } = settings;
    const me = await caller();
    const own = account_id === me.account_id;
    const name = roleName(role, "repair", own);
    if (!role || name === undefined) return own ? me.arn : null;
    return `arn:${me.partition}:sts::${account_id}:assumed-role/${name}/${role.session_name}`;
  };

  const organizationsGate = new Gate(ORGANIZATIONS_RATE, IN_FLIGHT, { ...gates, ...heard("organizations") });
  const organizations = once(async () => {
    const [{ common }, organizationsSdk, ownRegion] = await Promise.all([
      sdk(),
      import("@aws-sdk/client-organizations"),
      region(),
    ]);
    // One endpoint serves a whole partition, which is all that the region says.
    const config = { ...common, region: ownRegion ?? "us-east-1", credentials: base.provider };
    return {
      sdk: organizationsSdk,
      client: new organizationsSdk.OrganizationsClient(config),
      call: <T>(operation: string, run: (signal: AbortSignal) => Promise<T>) => {
        const held = base.held();
        const renew = () => base.renew(held ?? base.held());
        return organizationsGate.call({ operation, run, retry: true, renew, signal: closing.signal });
      },
    };
  });

  return {
    caller,
    region,
    principal,
    organizations: organizationsApi(organizations),
    target: ({ account_id, region }, purpose = "scan") =>
      targets(`${account_id}/${region}/${purpose}`, account_id, region, purpose),
    calls,
    callsIn: ({ account_id, region }) => countsIn(`${account_id}/${region}`),
    close: () => {
      for (const close of onClose) close();
    },
  };
}

/** Which service an API is of, where it is not Personalize. */
const SERVICES: Partial<Record<ApiKind, AwsService>> = { index: "tagging", events: "cloudtrail" };

/** The gates of one target. Every List operation is thought to have a limit of its own. */
function targetGates(
  limits: LimitSettings,
  settings: GateSettings,
  heard: (service: AwsService) => Pick<GateSettings, "onAttempt">,
): TargetGates {
  const gates = new Map<string, Gate>();
  const rates = { ...limits, events: EVENTS_RATE };
  return {
    call: (api, call) => {
      const name = api === "list" ? call.operation : api;
      const observed = { ...settings, ...heard(SERVICES[api] ?? "personalize") };
      const gate = gates.get(name) ?? new Gate(rates[api], IN_FLIGHT, observed);
      gates.set(name, gate);
      return gate.call(call);
    },
  };
}

/** Runs once; later calls get the same answer. A failure is not remembered. */
function once<T>(run: () => Promise<T>): () => Promise<T> {
  const answer = remember(() => run());
  return () => answer("");
}

/** Runs once for each key; a failure is not remembered. */
function remember<Arguments extends unknown[], T>(
  run: (key: string, ...rest: Arguments) => Promise<T>,
): (key: string, ...rest: Arguments) => Promise<T> {
  const answers = new Map<string, Promise<T>>();
  return (key, ...rest) => {
    let answer = answers.get(key);
    if (!answer) {
      answer = run(key, ...rest);
      answers.set(key, answer);
      answer.catch(() => answers.delete(key));
    }
    return answer;
  };
}
