/** Keys as AWS gives them. */
export type AwsCredentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Absent: they do not expire. */
  readonly expiration?: Date;
};

/** Credentials of one account, shared by every client that works there. */
export type RememberedCredentials = {
  /** For SDK clients. `memoized` keeps the SDK from adding a memory of its own, which would not notice a renewal. */
  readonly provider: (() => Promise<AwsCredentials>) & { memoized: true };
  /** What is held at this moment, without asking; null before the first request. */
  held(): AwsCredentials | null;
  /** Gets new ones in place of `expired`, unless that has happened already. False: there are no others to be had. */
  renew(expired: AwsCredentials | null): Promise<boolean>;
};

/** Role credentials live 15 minutes at least; those about to end are replaced this long before. */
const REPLACE_BEFORE_MS = 5 * 60_000;

/**
 * Remembers credentials until five minutes before they expire; callers at the same time share one request. A failure is
 * not remembered. The SDK remembers for each client apart, and would assume a role once for each service and region.
 */
export function rememberCredentials(fetch: () => Promise<AwsCredentials>, now: () => number): RememberedCredentials {
  let held: AwsCredentials | null = null;
  let pending: Promise<AwsCredentials> | null = null;
  const get = async () => {
    if (held && !(held.expiration && held.expiration.getTime() - now() < REPLACE_BEFORE_MS)) return held;
    pending ??= fetch()
      .then((fresh) => (held = fresh))
      .finally(() => {
        pending = null;
      });
    return pending;
  };
  return {
    provider: Object.assign(get, { memoized: true as const }),
    held: () => held,
    renew: async (expired) => {
      if (held === expired) held = null;
      const fresh = await get();
      return fresh.accessKeyId !== expired?.accessKeyId || fresh.sessionToken !== expired.sessionToken;
    },
  };
}
