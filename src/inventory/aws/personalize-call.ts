import { personalizeSdk } from "./sdk.ts";
import type { ApiKind, TargetApi } from "./session.ts";

/** What an operation answers, as the SDK parsed it. No member is certain to be there. */
export type PersonalizeReply = Readonly<Record<string, unknown>> & { readonly nextToken?: string };

/** Makes a call of Personalize by the operation's name: the SDK's command classes are called after the operations. */
export async function callPersonalize(
  api: TargetApi,
  kind: ApiKind,
  operation: string,
  input: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<PersonalizeReply> {
  const sdk = await personalizeSdk();
  // All commands have the form of this one, which takes no required field.
  const Command = (sdk as unknown as Record<string, typeof sdk.ListDatasetGroupsCommand | undefined>)[
    `${operation}Command`
  ];
  if (!Command) throw new Error(`The AWS SDK knows no ${operation}.`);
  const output = await api.call(
    kind,
    operation,
    (abortSignal) => api.personalize.send(new Command(input), { abortSignal }),
    signal,
  );
  return output as unknown as PersonalizeReply;
}
