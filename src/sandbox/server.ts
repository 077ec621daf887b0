import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { MANAGEMENT_ACCOUNT_ID, ROLE_NAME } from "./accounts.ts";
import { perform, readCall, refuseOtherScope } from "./answer-call.ts";
import { callerOf } from "./caller.ts";
import { answerControl } from "./control.ts";
import { AwsError } from "./error.ts";
import { Faults, type RateLimit, RateLimits } from "./faults.ts";
import { Journal } from "./journal.ts";
import { placeNew } from "./place-new.ts";
import { sendAnswer, sendError } from "./protocol.ts";
import { Roles } from "./roles.ts";
import type { SandboxResource } from "./resource.ts";
import type { Sandbox, SandboxCalls, SandboxOptions, SandboxView } from "./sandbox.ts";
import type { Service } from "./service.ts";
import { replaceUserTags, resourcesOf, World } from "./world.ts";

export { sandboxCredentials } from "./caller.ts";
export type { FaultRule, RateLimit } from "./faults.ts";
export type { Sandbox, SandboxOptions } from "./sandbox.ts";

/** Limits that AWS documents as numbers. Source: CloudTrail API Reference, LookupEvents. */
const AWS_LIMITS: Readonly<Record<string, RateLimit>> = { LookupEvents: { burst: 2, per_second: 2 } };

/** Starts an emulated AWS on one port. Rejects when the port is taken or the state file is of another world. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const now = options.now ?? (() => new Date());
  const world = new World({
    seed: options.seed ?? 1,
    resources: options.resources ?? 1000,
    accounts: options.accounts ?? 6,
    suspended_accounts: options.suspended_accounts ?? 0,
    regions: options.regions ?? ["us-east-1", "eu-west-1"],
    never_tagged_share: options.never_tagged_share ?? null,
    unindexed_types: options.unindexed_types ?? [],
    index_lag_ms: options.index_lag_ms ?? 0,
    trail_lag_ms: options.trail_lag_ms ?? 0,
    empty_pages: options.empty_pages ?? false,
    ...(options.tag_policies && { tag_policies: options.tag_policies }),
    now,
  });
  const faults = new Faults(options.seed ?? 1, options.faults ?? []);
  const roles = new Roles(options.roles ?? []);
  const limits = new RateLimits({ ...AWS_LIMITS, ...options.rate_limits }, now);
  const counts = countCalls();
  let latency_ms = options.latency_ms ?? 0;
  const journal = options.state_file === undefined ? null : Journal.open(options.state_file, world);

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  // Longer than any client keeps an idle connection, so that no request meets a closing one.
  server.keepAliveTimeout = 120_000;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    if (isControl(request)) return answerControl(request, response, body, sandbox);
    let service: Service | null = null;
    let lost = false;
    try {
      const call = readCall(request, body);
      service = call.service;
      const caller = callerOf(request.headers, MANAGEMENT_ACCOUNT_ID, now());
      refuseOtherScope(service, caller);
      counts.add(call.operation);
      if (latency_ms > 0) await wait(latency_ms);
      const fault = faults.next(call.operation, caller);
      if (fault === "hang") return;
      if (fault === "cut") return void response.destroy();
      lost = fault === "lost_reply";
      const allowed = limits.take(call.operation, caller);
      const answer = perform(call, allowed ? fault : "throttle", { world, roles, caller, now: now() });
      if (lost) response.destroy();
      else sendAnswer(response, service, call.operation, answer);
    } catch (error) {
      if (lost) response.destroy();
      else sendError(response, service, error instanceof AwsError ? error : bug(service, error));
    }
  }

  await listen(server, options).catch((error: unknown) => {
    journal?.close();
    throw error;
  });
  const { address, port, family } = server.address() as AddressInfo;

  const sandbox: Sandbox = {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${port}`,
    port,
    organization: {
      management_account_id: MANAGEMENT_ACCOUNT_ID,
      accounts: world.accounts
        .filter((account) => account.state === "ACTIVE")
        .map(({ id, name, email }) => ({ id, name, email })),
      regions: world.settings.regions,
      role_name: ROLE_NAME,
    },
    *resources(filter) {
      for (const resource of resourcesOf(world, filter)) yield viewOf(resource);
    },
    setTags(arn, tags) {
      const resource = existing(world, arn);
      world.setTags(resource, replaceUserTags(resource.tags, tags));
    },
    deleteResource(arn) {
      world.remove(existing(world, arn));
    },
    createResource(target, type, name, tags = {}) {
      const resource = placeNew(world, target, type, name, new Map(Object.entries(tags)));
      if (world.find(resource.arn)) throw new Error(`The sandbox has ${resource.arn} already`);
      return world.create(resource).arn;
    },
    setFaults: (rules) => faults.set(rules),
    setRoles: (changed) => roles.set(changed),
    setLatency(ms) {
      latency_ms = ms;
    },
    calls: counts.calls,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      journal?.close();
    },
  };
  return sandbox;
}

function listen(
  server: ReturnType<typeof createServer>,
  { port = 0, host = "127.0.0.1" }: SandboxOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
}

/** What is no AWS call: unsigned, and a look or a path of the sandbox's own. */
function isControl({ headers, method, url = "" }: IncomingMessage): boolean {
  if (headers.authorization !== undefined || headers["x-amz-target"] !== undefined) return false;
  return url.startsWith("/_sandbox/") || (method === "GET" && !url.includes("Action="));
}

/** A request that the sandbox itself can not handle looks like an internal error of the service, and says whose it is. */
function bug(service: Service | null, error: unknown): AwsError {
  const { name, status } = service?.errors.internal ?? { name: "InternalFailure", status: 500 };
  return new AwsError(name, `Bug of the sandbox: ${String(error)}`, status);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function countCalls(): { calls: SandboxCalls; add(operation: string): void } {
  let total = 0;
  let by_operation: Record<string, number> = {};
  return {
    calls: {
      get total() {
        return total;
      },
      get by_operation() {
        return by_operation;
      },
      reset() {
        total = 0;
        by_operation = {};
      },
    },
    add(operation) {
      total++;
      by_operation[operation] = (by_operation[operation] ?? 0) + 1;
    },
  };
}

function existing(world: World, arn: string): SandboxResource {
  const resource = world.find(arn);
  if (!resource) throw new Error(`The sandbox has no resource ${arn}`);
  return resource;
}

function viewOf(resource: SandboxResource): SandboxView {
  const { arn, account_id, region, type, name, parent, status, tags, ever_tagged, stack } = resource;
  return {
    arn,
    account_id,
    region,
    type,
    name,
    parent,
    status,
    created_at: new Date(resource.created_at),
    tags,
    ever_tagged,
    stack,
  };
}
