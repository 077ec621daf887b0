import { personalizeSdk } from "../../inventory/aws/sdk.ts";
import type { TargetApi } from "../../inventory/aws/session.ts";
import { errorKind, toReadError } from "../../inventory/call-error.ts";
import type { ReadError } from "../../inventory/resource.ts";
import type { Write } from "../decide.ts";

/** What came of sending a write. `refused`: the service said no, so it was not made; otherwise a failed call may have been. */
export type WriteOutcome =
  | { readonly outcome: "accepted" }
  | { readonly outcome: "error"; readonly refused: boolean; readonly error: ReadError };

/**
 * Sends TagResource, then UntagResource, or the other order where there is no room; each once. After a failed call the
 * other is not sent. `between` runs after the first of two. Never throws for an AWS error.
 */
export async function writeTags(
  api: TargetApi,
  arn: string,
  write: Write,
  between: () => Promise<void>,
): Promise<WriteOutcome> {
  const { TagResourceCommand, UntagResourceCommand } = await personalizeSdk();
  const tag = async () => {
    const tags = write.tag.map(({ key, value }) => ({ tagKey: key, tagValue: value }));
    const command = new TagResourceCommand({ resourceArn: arn, tags });
    await api.call("write", "TagResource", (abortSignal) => api.personalize.send(command, { abortSignal }));
  };
  const untag = async () => {
    const command = new UntagResourceCommand({ resourceArn: arn, tagKeys: [...write.untag] });
    await api.call("write", "UntagResource", (abortSignal) => api.personalize.send(command, { abortSignal }));
  };
  const steps = [
    ...(write.tag.length > 0 ? [{ operation: "TagResource", send: tag }] : []),
    ...(write.untag.length > 0 ? [{ operation: "UntagResource", send: untag }] : []),
  ];
  if (write.untag_first) steps.reverse();
  for (const [index, { operation, send }] of steps.entries()) {
    if (index > 0) await between();
    try {
      await send();
    } catch (error) {
      return { outcome: "error", refused: errorKind(error) !== "transient", error: toReadError(error, operation) };
    }
  }
  return { outcome: "accepted" };
}
