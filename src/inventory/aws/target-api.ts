import type { CloudTrailClient } from "@aws-sdk/client-cloudtrail";
import type { PersonalizeClient } from "@aws-sdk/client-personalize";
import type { ResourceGroupsTaggingAPIClient } from "@aws-sdk/client-resource-groups-tagging-api";
import type { ReadError, Target } from "../resource.ts";
import type { RememberedCredentials } from "./credentials.ts";
import type { GateCall } from "./gate.ts";

/**
 * Which limiter a call goes through. `read`: what is asked about single resources, ListTagsForResource and Describe. `write` is
 * tried once; the others again while that makes sense. `events`: the event history of CloudTrail.
 */
export type ApiKind = "index" | "list" | "read" | "write" | "events";

/** The APIs of one target. */
export type TargetApi = {
  readonly target: Target;
  readonly personalize: PersonalizeClient;
  readonly tagging: ResourceGroupsTaggingAPIClient;
  /** Loaded when first asked for: most installations never look there. */
  readonly cloudtrail: () => Promise<CloudTrailClient>;
  /**
   * Makes a call, limited and counted, within the bounds of patience. `run` gets a signal that aborts with the caller's or
   * when the reply takes too long. Rejects with the last error of AWS, named as AWS names it, or with the signal's reason.
   */
  call<T>(api: ApiKind, operation: string, run: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Share of the answers of the tag index that are checked with the service, 0 to 1. */
  readonly sample_share: number;
  /** Set while the tag index of this target cannot be asked: the reason, and when to try again. */
  index_unavailable: { readonly error: ReadError; readonly until: Date } | null;
};

/** What the calls of a target go through, whatever credentials they are made with. */
export type TargetGates = { call<T>(api: ApiKind, call: GateCall<T>): Promise<T> };

/** Joins the clients of a target with its gates. */
export function targetApi(
  target: Target,
  clients: Pick<TargetApi, "personalize" | "tagging" | "cloudtrail">,
  credentials: RememberedCredentials,
  gates: TargetGates,
  closed: AbortSignal,
  sample_share: number,
): TargetApi {
  const joined = new WeakMap<AbortSignal, AbortSignal>();
  const withClosed = (signal: AbortSignal) => {
    const both = joined.get(signal) ?? AbortSignal.any([signal, closed]);
    joined.set(signal, both);
    return both;
  };
  return {
    target,
    ...clients,
    sample_share,
    index_unavailable: null,
    call: (api, operation, run, signal) => {
      const held = credentials.held();
      const renew = () => credentials.renew(held ?? credentials.held());
      const both = signal ? withClosed(signal) : closed;
      const answer = gates.call(api, { operation, run, retry: api !== "write", renew, signal: both });
      return answer.catch((error: unknown) => {
        throw nameRegion(error, target.region);
      });
    },
  };
}

/** The SDK makes a host name of any region; that the name does not exist says little without the region. */
function nameRegion(error: unknown, region: string): unknown {
  const { code, hostname } = error as { code?: unknown; hostname?: unknown };
  if (!(error instanceof Error) || (code !== "ENOTFOUND" && code !== "EAI_AGAIN")) return error;
  const message = `region ${region} does not answer: its host ${typeof hostname === "string" ? hostname : ""} is not known (${error.message})`;
  return Object.assign(new Error(message, { cause: error }), { code });
}
