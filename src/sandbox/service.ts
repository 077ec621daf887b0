import type { Caller } from "./caller.ts";
import type { Json } from "./check-input.ts";
import type { Model } from "./model.ts";
import type { Roles } from "./roles.ts";
import type { World } from "./world.ts";

/** What an operation works on. */
export type Context = { readonly world: World; readonly roles: Roles; readonly caller: Caller; readonly now: Date };

/** An operation: a checked request in, an answer out; throws AwsError. */
export type Handler = (input: Json, context: Context) => Json;

/** The name and status of an error of a service. */
type ErrorForm = { readonly name: string; readonly status: number };

/** One AWS service as the sandbox speaks it. */
export type Service = {
  /** Signing name, as in the credential scope. */
  readonly signing_name: string;
  readonly protocol: "json" | "query";
  /** Before the operation in `X-Amz-Target`; for the query protocol the namespace of the answer. */
  readonly prefix: string;
  readonly model: Model;
  readonly operations: Readonly<Record<string, Handler>>;
  /** Refuses a request, before its shape is checked, under error names that only this service has. Throws AwsError. */
  readonly refuse?: (input: Json) => void;
  /** Errors that each service names in its own way. */
  readonly errors: Readonly<Record<"constraint" | "throttle" | "internal" | "denied" | "unknown_operation", ErrorForm>>;
  /** Prefix of its actions in IAM, for the wording of a denial. */
  readonly iam_prefix: string;
};
