import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type Aws, type AwsSettings, openAws } from "../../src/inventory/aws/session.ts";

/** A reply: a JSON body, an error by name, or a connection that breaks in the middle of the body. */
export type Reply =
  | { readonly body: unknown }
  | { readonly error: string; readonly status?: number; readonly headers?: Record<string, string> }
  | { readonly half: string };

/** Input of the call, how many calls of the operation came before, and the access key it was signed with. */
export type Call = { readonly input: Record<string, unknown>; readonly turn: number; readonly key: string };

/** An HTTP server that answers AWS operations as a test says: for replies that no sandbox gives. */
export type ScriptedAws = { readonly url: string; readonly turns: Record<string, number>; close(): Promise<void> };

export async function startScriptedAws(script: Record<string, (call: Call) => Reply>): Promise<ScriptedAws> {
  const turns: Record<string, number> = {};
  const server = createServer((request, response) => {
    void read(request).then((text) => {
      const json = request.headers["x-amz-target"];
      const form = new URLSearchParams(text);
      const operation = typeof json === "string" ? (json.split(".")[1] ?? "") : (form.get("Action") ?? "");
      const turn = turns[operation] ?? 0;
      turns[operation] = turn + 1;
      const input = json ? (JSON.parse(text) as Record<string, unknown>) : Object.fromEntries(form);
      const key = /Credential=([^/]+)/.exec(request.headers.authorization ?? "")?.[1] ?? "";
      const reply = script[operation]?.({ input, turn, key }) ?? { error: "UnknownOperationException" };
      const type = json ? "application/x-amz-json-1.1" : "text/xml";
      if ("half" in reply) {
        response.writeHead(200, { "content-type": type, "content-length": String(reply.half.length * 2) });
        response.write(reply.half, () => response.destroy());
      } else if ("error" in reply) {
        response.writeHead(reply.status ?? 400, { "content-type": type, ...reply.headers });
        const { error } = reply;
        response.end(
          json
            ? JSON.stringify({ __type: error, message: "scripted" })
            : `<ErrorResponse><Error><Code>${error}</Code><Message>scripted</Message></Error></ErrorResponse>`,
        );
      } else {
        response.writeHead(200, { "content-type": type });
        response.end(json ? JSON.stringify(reply.body) : xml(operation, reply.body as Record<string, unknown>));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    turns,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Rates at which nothing waits, and little patience. */
export const FAST: Pick<AwsSettings, "limits" | "patience_ms" | "timeout_ms"> = {
  limits: {
    index: { burst: 10_000, per_second: 10_000 },
    list: { burst: 10_000, per_second: 10_000 },
    read: { start: 10_000, most: 10_000 },
    write: { start: 10_000, most: 10_000 },
  },
  patience_ms: 600,
  timeout_ms: 5000,
};

export const ACCOUNT = "111122223333";

/** GetCallerIdentity of an account. */
export const identity = (account_id: string): Reply => ({
  body: { Account: account_id, Arn: `arn:aws:iam::${account_id}:user/test`, UserId: "U" },
});

/** Opens AWS at a scripted server. */
export function openScripted(scripted: ScriptedAws, settings: Partial<AwsSettings> = {}): Aws {
  return openAws({
    endpoint: scripted.url,
    region: "us-east-1",
    credentials: { accessKeyId: "BASE", secretAccessKey: "secret" },
    ...FAST,
    ...settings,
  });
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function xml(operation: string, body: Record<string, unknown>): string {
  const element = (name: string, value: unknown): string =>
    `<${name}>${
      typeof value === "object" && value !== null
        ? Object.entries(value)
            .map(([key, inner]) => element(key, inner))
            .join("")
        : String(value)
    }</${name}>`;
  return element(`${operation}Response`, { [`${operation}Result`]: body });
}
