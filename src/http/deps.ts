import type { Database } from "../db/client.ts";
import type { PolicySet } from "../policy/load.ts";
import type { Decided } from "../remediation/store.ts";
import type { ChangeEvent } from "../inventory/change-event.ts";

/** What a person asks to be scanned; what is absent is everything that is configured. */
export type ScanWish = {
  readonly accounts?: readonly string[] | undefined;
  readonly regions?: readonly string[] | undefined;
  readonly types?: readonly string[] | undefined;
  /** `all`: every reading is asked of the service, whatever the index says. */
  readonly confirm?: "all" | undefined;
};

/** How events come in. */
export type EventsDeps = {
  /** What a delivery has to bring one of: two while the key is changed. */
  readonly keys: readonly string[];
  /** Keeps an event, and has its resource looked at again. `deduplicated`: the same came before. */
  readonly receive: (
    event: ChangeEvent,
  ) => Promise<{ readonly accepted: boolean; readonly deduplicated: boolean; readonly reason: string | null }>;
};

/** A request that was answered. `route` is the pattern of its path, `other` where there is none. */
export type AnsweredRequest = {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
};

/** What the HTTP server works with. */
export type HttpDeps = {
  readonly database: Database;
  /** Queues a scan, or names the one of the same scope that waits or runs. Throws UsageError for what cannot be scanned. `by` says who asked. */
  readonly requestScan: (
    wish: ScanWish,
    by: string,
  ) => Promise<{ readonly scan_id: string; readonly deduplicated: boolean }>;
  /** Asks for the end of a scan before it is done. False: it had ended. */
  readonly cancelScan: (scan_id: string, by: string) => Promise<boolean>;
  /** Throws UsageError for what cannot be scanned. */
  readonly checkScope: (wish: Pick<ScanWish, "accounts" | "regions" | "types">) => void | Promise<void>;
  /** What plans are made and approved by. */
  readonly plans: {
    /** The active policies; null before the first activation. */
    readonly activeSet: () => Promise<PolicySet | null>;
    /** As the configuration says. */
    readonly approval: { readonly by: "anyone" | "another"; readonly hours: number };
    /** Asks that a worker applies an approved plan. */
    readonly requestApply: (plan_id: string, actor: string) => Promise<Decided>;
  };
  /** Null: no key is set, so events are not taken. */
  readonly events: EventsDeps | null;
  /** Whether requests can be served, for /readyz. Never throws. */
  readonly ready: () => Promise<{ readonly ok: boolean; readonly checks: Readonly<Record<string, string>> }>;
  /** An emulated AWS is behind all this: every page says so. */
  readonly sandbox: boolean;
  readonly now: () => Date;
  readonly version: string;
  /** The set in use, and why a newer state of the folder is not used. */
  readonly policies: () => { readonly set_id: string | null; readonly problem: string | null };
  /** Hears of every request as it is answered. */
  readonly onAnswer?: ((request: AnsweredRequest) => void) | undefined;
  /** Names of accounts, where they are known. */
  readonly account_names?: ReadonlyMap<string, string>;
};
