import { errorName, toReadError } from "../call-error.ts";
import type { ReadError, Resource, Unit } from "../resource.ts";
import { resourceFromDescription } from "../resource-from-description.ts";
import { RESOURCE_TYPES } from "../resource-types.ts";
import { callPersonalize } from "./personalize-call.ts";
import type { TargetApi } from "./session.ts";

/** What the service said of one resource. `gone`: there is no such resource. `unknown`: no answer. */
export type Described =
  | { readonly outcome: "described"; readonly resource: Resource }
  | { readonly outcome: "gone" }
  | { readonly outcome: "unknown"; readonly error: ReadError; readonly cause: unknown };

/** Asks the service for one resource, as a list would show it. Throws only when `signal` aborts. */
export async function describeResource(
  api: TargetApi,
  unit: Unit,
  arn: string,
  signal: AbortSignal,
): Promise<Described> {
  const { describe_operation: operation, describe_key, arn_field } = RESOURCE_TYPES[unit.type];
  const unexpected = (message: string): Described => {
    const cause = Object.assign(new Error(message), { name: "UnexpectedReply" });
    return { outcome: "unknown", error: toReadError(cause, operation), cause };
  };
  try {
    const described = (await callPersonalize(api, "read", operation, { [arn_field]: arn }, signal))[describe_key];
    if (typeof described !== "object" || described === null)
      return unexpected(`the reply has no field ${describe_key}`);
    const resource = resourceFromDescription(unit, described as Readonly<Record<string, unknown>>);
    if (typeof resource === "string") return unexpected(resource);
    if (resource.arn !== arn) return unexpected(`asked about ${arn}, it answers about ${resource.arn}`);
    return { outcome: "described", resource };
  } catch (cause) {
    signal.throwIfAborted();
    if (errorName(cause) === "ResourceNotFoundException") return { outcome: "gone" };
    return { outcome: "unknown", error: toReadError(cause, operation), cause };
  }
}
