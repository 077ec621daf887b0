import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import type { ResourceType } from "../inventory/resource-types.ts";
import { RESOURCE_TYPE_NAMES } from "../inventory/resource-types.ts";
import { FAULT_KINDS } from "./faults.ts";
import type { Sandbox } from "./sandbox.ts";

const FAULTS = z.array(
  z.strictObject({
    kind: z.enum(FAULT_KINDS),
    operation: z.string().exactOptional(),
    account_id: z.string().exactOptional(),
    region: z.string().exactOptional(),
    share: z.number().min(0).max(1).exactOptional(),
    times: z.int().min(0).exactOptional(),
    after: z.int().min(0).exactOptional(),
  }),
);
const ROLES = z.array(
  z.strictObject({
    account_id: z.string(),
    missing: z.boolean().exactOptional(),
    external_id: z.string().exactOptional(),
    trusts: z.array(z.string()).exactOptional(),
    lacks: z.array(z.string()).exactOptional(),
    leads_to: z.string().exactOptional(),
  }),
);
const LATENCY = z.strictObject({ ms: z.number().min(0) });
const TAGS = z.strictObject({ arn: z.string(), tags: z.record(z.string(), z.string()) });
const DELETION = z.strictObject({ arn: z.string() });
const CREATION = z.strictObject({
  account_id: z.string(),
  region: z.string(),
  type: z.enum(RESOURCE_TYPE_NAMES as [ResourceType, ...ResourceType[]]),
  name: z.string(),
  tags: z.record(z.string(), z.string()).default({}),
});

/** Changes to a running sandbox: `POST /_sandbox/<name>` with a JSON body. */
const CHANGES: Record<string, (body: unknown, sandbox: Sandbox) => unknown> = {
  faults: (body, sandbox) => sandbox.setFaults(FAULTS.parse(body)),
  roles: (body, sandbox) => sandbox.setRoles(ROLES.parse(body)),
  latency: (body, sandbox) => sandbox.setLatency(LATENCY.parse(body).ms),
  tags(body, sandbox) {
    const { arn, tags } = TAGS.parse(body);
    sandbox.setTags(arn, tags);
  },
  delete: (body, sandbox) => sandbox.deleteResource(DELETION.parse(body).arn),
  create(body, sandbox) {
    const { type, name, tags, ...target } = CREATION.parse(body);
    return { arn: sandbox.createResource(target, type, name, tags) };
  },
  "reset-calls": (_body, sandbox) => sandbox.calls.reset(),
};

/** Answers what is no AWS call: what this is, its state, and changes to it. */
export async function answerControl(
  request: IncomingMessage,
  response: ServerResponse,
  body: string,
  sandbox: Sandbox,
): Promise<void> {
  const { pathname } = new URL(request.url ?? "/", sandbox.url);
  if (request.method === "GET") {
    if (pathname === "/")
      return reply(response, 200, { service: "tagwarden-sandbox", organization: sandbox.organization });
    if (pathname === "/_sandbox/calls") return reply(response, 200, sandbox.calls);
    if (pathname === "/_sandbox/resources") return streamResources(response, sandbox);
  }
  const change = CHANGES[pathname.replace("/_sandbox/", "")];
  if (request.method !== "POST" || !change)
    return reply(response, 404, { error: `The sandbox has no ${request.method} ${pathname}` });
  try {
    reply(response, 200, change(body === "" ? {} : JSON.parse(body), sandbox) ?? { ok: true });
  } catch (error) {
    const message =
      error instanceof z.ZodError ? z.prettifyError(error) : error instanceof Error ? error.message : String(error);
    reply(response, 400, { error: message });
  }
}

function reply(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(`${JSON.stringify(value)}\n`);
}

async function streamResources(response: ServerResponse, sandbox: Sandbox): Promise<void> {
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  await pipeline(
    Readable.from(
      sandbox
        .resources()
        .map((resource) => `${JSON.stringify({ ...resource, tags: Object.fromEntries(resource.tags) })}\n`),
    ),
    response,
  );
}
