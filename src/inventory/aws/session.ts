import type { PersonalizeClient } from "@aws-sdk/client-personalize";
import type { ResourceGroupsTaggingAPIClient } from "@aws-sdk/client-resource-groups-tagging-api";
import type { STSClient } from "@aws-sdk/client-sts";
import { type LimitSettings, type RisingRate, type SteadyRate } from "../limiter.ts";
import type { ReadError, Target } from "../resource.ts";
import { CallCounts } from "./call-counts.ts";
import { type AwsCredentials, rememberCredentials, type RememberedCredentials } from "./credentials.ts";
import { Gate, type GateSettings } from "./gate.ts";
import { type OrganizationsApi, organizationsApi } from "./organizations.ts";
import { personalizeSdk, taggingSdk } from "./sdk.ts";

/** How AWS is reached. What is absent is taken from where the AWS SDK takes it: environment, shared files, metadata services. */
export type AwsSettings = {
  /** In place of every service's own endpoint, as for the sandbox. */
  readonly endpoint?: string;
  /** Region of calls that belong to no target: who the caller is. */
  readonly region?: string;
  readonly credentials?: AwsCredentials;
  /** Role to assume in every account that is not the caller's own. */
  readonly role?: { readonly name: string; readonly external_id?: string; readonly session_name: string };
  readonly limits: LimitSettings;
  /** How long a call that keeps failing is tried before its error counts. */
  readonly patience_ms: number;
  /** A reply that takes longer is a failed attempt; 10 seconds when absent. */
  readonly timeout_ms?: number;
};

/** The caller, as STS sees it. */
type Caller = { readonly account_id: string; readonly arn: string; readonly partition: string };

/** A connection to AWS with all its accounts and regions. */
export type Aws = {
  /** Who we are. Asked once, and again after a failure. */
  caller(): Promise<Caller>;
  /** The region that the AWS SDK would use; null when none is set. */
  region(): Promise<string | null>;
  /**
   * The APIs of a target, the same object for the same target. Throws WrongAccountError, MissingRoleError, or what STS
   * answered to AssumeRole.
   */
  target(target: { readonly account_id: string; readonly region: string }): Promise<TargetApi>;
  /** ARN under which our calls in an account appear in its CloudTrail; null: none can be made there. */
  principal(account_id: string): Promise<string | null>;
  /** AWS Organizations, asked with the caller's own credentials. */
  readonly organizations: OrganizationsApi;
  readonly calls: CallCounts;
  /** Those of `calls` that were made in one target; AssumeRole and the like belong to none. */
  callsIn(target: { readonly account_id: string; readonly region: string }): CallCounts;
  close(): void;
};

/**
 * Which limiter a call goes through. `read`: what is asked about single resources, ListTagsForResource and Describe. `write` is
 * tried once; the others again while that makes sense.
 */
export type ApiKind = "index" | "list" | "read" | "write";

/** The APIs of one target. */
export type TargetApi = {
  readonly target: Target;
  readonly personalize: PersonalizeClient;
  readonly tagging: ResourceGroupsTaggingAPIClient;
  /**
   * Makes a call, limited and counted, within the bounds of patience. `run` gets a signal that aborts with the caller's or
   * when the reply takes too long. Rejects with the last error of AWS, named as AWS names it, or with the signal's reason.
   */
  call<T>(api: ApiKind, operation: string, run: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Set while the tag index of this target cannot be asked: the reason, and when to try again. */
  index_unavailable: { readonly error: ReadError; readonly until: Date } | null;
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
/** Calls of one API in one target that may wait for their replies at the same time. */
const IN_FLIGHT = 16;
const MAX_SOCKETS = 256;

/** Opens AWS: nothing is loaded or sent before the first call. */
export function openAws(settings: AwsSettings): Aws {
  const calls = new CallCounts();
  const { patience_ms, timeout_ms = 10_000 } = settings;
  const gates: GateSettings = { patience_ms, timeout_ms, counts: calls };
  const stsGate = new Gate(STS_RATE, IN_FLIGHT, { ...gates, patience_ms: Math.min(patience_ms, STS_PATIENCE_MS) });
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

  const assumed = remember(async (account_id: string, targetRegion: string) => {
    const [{ partition }, { sts }, baseRegion] = await Promise.all([caller(), sdk(), region()]);
    const role = settings.role;
    if (!role) {
      throw new MissingRoleError(
        `Account ${account_id} is not the caller's own, and no role is set that could be assumed there (targets.role).`,
      );
    }
    const client = await stsClient(baseRegion ?? targetRegion, base);
    const RoleArn = `arn:${partition}:iam::${account_id}:role/${role.name}`;
    const credentials = rememberCredentials(async () => {
      const reply = await stsCall(base, "AssumeRole", (abortSignal) =>
        client.send(
          new sts.AssumeRoleCommand({
            RoleArn,
            RoleSessionName: role.session_name,
            ...(role.external_id !== undefined && { ExternalId: role.external_id }),
          }),
          { abortSignal },
        ),
      );
      const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = reply.Credentials ?? {};
      if (!AccessKeyId || !SecretAccessKey || !SessionToken) throw new Error(`STS gave no credentials for ${RoleArn}.`);
      return {
        accessKeyId: AccessKeyId,
        secretAccessKey: SecretAccessKey,
        sessionToken: SessionToken,
        ...(Expiration && { expiration: Expiration }),
      };
    }, Date.now);
    const identity = await identify(baseRegion ?? targetRegion, credentials);
    if (identity.account_id !== account_id) {
      throw new WrongAccountError(`The role ${RoleArn} led to account ${identity.account_id} (${identity.arn}).`);
    }
    return credentials;
  });

  const countsByTarget = new Map<string, CallCounts>();
  const callsIn: Aws["callsIn"] = ({ account_id, region }) => {
    const name = `${account_id}/${region}`;
    const counts = countsByTarget.get(name) ?? new CallCounts(calls);
    countsByTarget.set(name, counts);
    return counts;
  };
  const targets = remember(async (key: string, target: { readonly account_id: string; readonly region: string }) => {
    const { account_id, region } = target;
    const [{ personalize, tagging, common }, me] = await Promise.all([sdk(), caller()]);
    const credentials = account_id === me.account_id ? base : await assumed(account_id, region);
    const config = { ...common, region, credentials: credentials.provider };
    const clients = {
      personalize: new personalize.PersonalizeClient(config),
      tagging: new tagging.ResourceGroupsTaggingAPIClient(config),
    };
    for (const { middlewareStack } of [clients.personalize, clients.tagging]) {
      // It masks every field of every reply for a log that nobody keeps: a good part of a scan's work.
      middlewareStack.remove("loggerMiddleware");
    }
    return targetApi(
      { partition: me.partition, account_id, region },
      clients,
      credentials,
      settings.limits,
      { ...gates, counts: callsIn(target) },
      closing.signal,
    );
  });

  const principal = async (account_id: string) => {
    const { role } = settings;
    const me = await caller();
    if (account_id === me.account_id) return me.arn;
    if (!role) return null;
    return `arn:${me.partition}:sts::${account_id}:assumed-role/${role.name}/${role.session_name}`;
  };

  const organizationsGate = new Gate(ORGANIZATIONS_RATE, IN_FLIGHT, gates);
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
    target: ({ account_id, region }) => targets(`${account_id}/${region}`, { account_id, region }),
    calls,
    callsIn,
    close: () => {
      for (const close of onClose) close();
    },
  };
}

function targetApi(
  target: Target,
  clients: Pick<TargetApi, "personalize" | "tagging">,
  credentials: RememberedCredentials,
  limits: LimitSettings,
  settings: GateSettings,
  closed: AbortSignal,
): TargetApi {
  const gates = new Map<string, Gate>();
  const gateFor = (name: string, rate: SteadyRate | RisingRate) => {
    const gate = gates.get(name) ?? new Gate(rate, IN_FLIGHT, settings);
    gates.set(name, gate);
    return gate;
  };
  const joined = new WeakMap<AbortSignal, AbortSignal>();
  const withClosed = (signal: AbortSignal) => {
    const both = joined.get(signal) ?? AbortSignal.any([signal, closed]);
    joined.set(signal, both);
    return both;
  };
  return {
    target,
    ...clients,
    index_unavailable: null,
    call: (api, operation, run, signal) => {
      // Every List operation is thought to have a limit of its own.
      const gate = gateFor(api === "list" ? operation : api, limits[api]);
      const held = credentials.held();
      const renew = () => credentials.renew(held ?? credentials.held());
      return gate.call({ operation, run, retry: api !== "write", renew, signal: signal ? withClosed(signal) : closed });
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
