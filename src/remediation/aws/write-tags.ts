import { personalizeSdk } from "../../inventory/aws/sdk.ts";
import type { TargetApi } from "../../inventory/aws/session.ts";
import { errorKind, toReadError } from "../../inventory/call-error.ts";
import type { ReadError } from "../../inventory/resource.ts";
import type { Write } from "../decide.ts";

/** What came of sending a write. `withheld`: nothing was sent, for a reason. `refused`: the service said no, so it was not made; otherwise a failed call may have been. */
export type WriteOutcome =
  | { readonly outcome: "accepted" }
  | { readonly outcome: "withheld"; readonly reason: string }
  | { readonly outcome: "error"; readonly refused: boolean; readonly error: ReadError };

/**
 * Sends TagResource, then UntagResource, or the other order where there is no room; each once. After a failed call the
 * other is not sent. `between` runs after the first of two. Never throws for an AWS error.
 *
 * `withhold` is asked in the moment in which the first call may go out, after any wait for its turn; a reason withholds the
 * whole write. The second call is sent in any case: a write is not left half made.
 */
export async function writeTags(
  api: TargetApi,
  arn: string,
  write: Write,
  { withhold, between }: { withhold: () => Promise<string | null>; between: () => Promise<void> },
): Promise<WriteOutcome> {
  const { TagResourceCommand, UntagResourceCommand } = await personalizeSdk();
  let sent = false;
  const send = (operation: string, run: (abortSignal: AbortSignal) => Promise<unknown>) =>
    api.call("write", operation, async (abortSignal) => {
      if (!sent) await admit(withhold);
      abortSignal.throwIfAborted();
      sent = true;
      await run(abortSignal);
    });
  const tag = async () => {
    const tags = write.tag.map(({ key, value }) => ({ tagKey: key, tagValue: value }));
    const command = new TagResourceCommand({ resourceArn: arn, tags });
    await send("TagResource", (abortSignal) => api.personalize.send(command, { abortSignal }));
  };
  const untag = async () => {
    const command = new UntagResourceCommand({ resourceArn: arn, tagKeys: [...write.untag] });
    await send("UntagResource", (abortSignal) => api.personalize.send(command, { abortSignal }));
  };
  const steps = [
    ...(write.tag.length > 0 ? [{ operation: "TagResource", make: tag }] : []),
    ...(write.untag.length > 0 ? [{ operation: "UntagResource", make: untag }] : []),
  ];
  if (write.untag_first) steps.reverse();
  for (const [index, { operation, make }] of steps.entries()) {
    if (index > 0) await between();
    try {
      await make();
    } catch (error) {
      if (error instanceof WithheldError) {
        if (error.reason === null) throw error.cause;
        return { outcome: "withheld", reason: error.reason };
      }
      return { outcome: "error", refused: errorKind(error) !== "transient", error: toReadError(error, operation) };
    }
  }
  return { outcome: "accepted" };
}

/** The call was not sent: for a reason, or, where that is null, because it could not be asked whether it may be. */
class WithheldError extends Error {
  override name = "WithheldError";
  readonly reason: string | null;
  constructor(reason: string | null, options?: ErrorOptions) {
    super(reason ?? "whether it may be sent could not be asked", options);
    this.reason = reason;
  }
}

/** Lets a call go out, or throws WithheldError: what fails here is no error of AWS. */
async function admit(withhold: () => Promise<string | null>): Promise<void> {
  const reason = await withhold().catch((cause: unknown) => {
    throw new WithheldError(null, { cause });
  });
  if (reason !== null) throw new WithheldError(reason);
}
