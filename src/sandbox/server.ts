import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { ResourceType } from "../inventory/resource-types.ts";
import { MANAGEMENT_ACCOUNT_ID, ROLE_NAME } from "./accounts.ts";
import type { Caller } from "./caller.ts";
import { callerOf } from "./caller.ts";
import type { Json } from "./check-input.ts";
import { checkInput, constraintMessage } from "./check-input.ts";
import { answerControl } from "./control.ts";
import { AwsError } from "./error.ts";
import type { FaultKind, FaultRule, RateLimit } from "./faults.ts";
import { Faults, RateLimits } from "./faults.ts";
import { Journal } from "./journal.ts";
import { ORGANIZATIONS } from "./organizations.ts";
import { PERSONALIZE } from "./personalize.ts";
import { placeNew } from "./place-new.ts";
import { decodeJson, decodeQuery, sendAnswer, sendError } from "./protocol.ts";
import type { SandboxResource } from "./resource.ts";
import type { Service } from "./service.ts";
import { STS } from "./sts.ts";
import { TAGGING } from "./tagging.ts";
import { replaceUserTags, resourcesOf, World } from "./world.ts";

export { sandboxCredentials } from "./caller.ts";
export type { FaultRule } from "./faults.ts";

/** How a sandbox is. Everything is optional. */
export type SandboxOptions = {
  /** 0 or absent: any free port. */
  port?: number;
  /** 127.0.0.1 when absent. */
  host?: string;
  /** 1 when absent; the same seed gives the same world. */
  seed?: number;
  /** Resources over all accounts and regions; 1000 when absent, up to 1,000,000. */
  resources?: number;
  /** Member accounts beside the management account; 6 when absent, 0 for a world of one account. */
  accounts?: number;
  /** Members that are SUSPENDED and hold nothing; 0 when absent. */
  suspended_accounts?: number;
  /** us-east-1 and eu-west-1 when absent. */
  regions?: string[];
  /** Share of resources, 0..1, that never had a tag. Absent: as the habits of the seeded teams have it, about 40 %. */
  never_tagged_share?: number;
  /** Types that the tagging index does not hold; none when absent. */
  unindexed_types?: ResourceType[];
  /** How long every answer takes longer. */
  latency_ms?: number;
  /** How long after a change the tagging index shows it. */
  index_lag_ms?: number;
  /** By operation or wildcard (`List*`, `*`): each operation has its own bucket for each account and region. */
  rate_limits?: Record<string, RateLimit>;
  faults?: FaultRule[];
  /** Journal of changes: replayed at the start, so that a second start keeps what was written. */
  state_file?: string;
  now?: () => Date;
};

/** A resource as the state has it. */
export type SandboxView = {
  readonly arn: string;
  readonly account_id: string;
  readonly region: string;
  readonly type: ResourceType;
  readonly name: string;
  readonly status: string;
  readonly created_at: Date;
  readonly tags: ReadonlyMap<string, string>;
  readonly ever_tagged: boolean;
  readonly stack: string | null;
};

/** Calls answered, faults and errors included. */
export type SandboxCalls = { readonly total: number; readonly by_operation: Record<string, number>; reset(): void };

/** A running sandbox. */
export type Sandbox = {
  readonly url: string;
  readonly port: number;
  readonly organization: {
    readonly management_account_id: string;
    /** The active accounts, the management account first. */
    readonly accounts: readonly { readonly id: string; readonly name: string; readonly email: string }[];
    readonly regions: readonly string[];
    /** Assumable in every account. */
    readonly role_name: string;
  };
  /** The state itself, not through any API: for independent counts. */
  resources(filter?: { account_id?: string; region?: string; type?: ResourceType }): Generator<SandboxView, void>;
  /** Replaces the user tags, as another person would; the index follows after its lag. Throws on an unknown ARN. */
  setTags(arn: string, tags: Record<string, string>): void;
  /** Throws on an unknown ARN. */
  deleteResource(arn: string): void;
  /** Makes a resource of any type and returns its ARN. A dataset's name is `<group>/<TYPE>` or a group, a version's that of its solution. */
  createResource(
    target: { account_id: string; region: string },
    type: ResourceType,
    name: string,
    tags?: Record<string, string>,
  ): string;
  setFaults(faults: FaultRule[]): void;
  setLatency(ms: number): void;
  readonly calls: SandboxCalls;
  close(): Promise<void>;
};

const SERVICES: readonly Service[] = [PERSONALIZE, TAGGING, STS, ORGANIZATIONS];

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
    now,
  });
  const faults = new Faults(options.seed ?? 1, options.faults ?? []);
  const limits = new RateLimits(options.rate_limits ?? {}, now);
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
    if (!request.headers.authorization && request.headers["x-amz-target"] === undefined && isControl(request)) {
      return answerControl(request, response, body, sandbox);
    }
    let service: Service | null = null;
    let lost = false;
    try {
      const form = new URLSearchParams(body);
      const [found, operation] = route(request, form);
      service = found;
      const caller = callerOf(request.headers, MANAGEMENT_ACCOUNT_ID, now());
      refuseOtherScope(service, caller);
      counts.add(operation);
      if (latency_ms > 0) await wait(latency_ms);
      const fault = faults.next(operation, caller);
      if (fault === "hang") return;
      if (fault === "cut") return void response.destroy();
      lost = fault === "lost_reply";
      const answer = perform(service, operation, caller, form, body, fault);
      if (lost) response.destroy();
      else sendAnswer(response, service, operation, answer);
    } catch (error) {
      if (lost) return void response.destroy();
      if (error instanceof AwsError) return sendError(response, service, error);
      const internal = service?.errors.internal ?? PERSONALIZE.errors.internal;
      sendError(
        response,
        service,
        new AwsError(internal.name, `Bug of the sandbox: ${String(error)}`, internal.status),
      );
    }
  }

  function perform(
    service: Service,
    operation: string,
    caller: Caller,
    form: URLSearchParams,
    body: string,
    fault: FaultKind | null,
  ): Json {
    const { errors, model } = service;
    const fail = (kind: keyof Service["errors"], message: string): AwsError =>
      new AwsError(errors[kind].name, message, errors[kind].status);
    if (fault === "throttle" || !limits.take(operation, caller)) throw fail("throttle", "Rate exceeded");
    if (fault === "server_error") throw fail("internal", "The request failed because of an internal error");
    if (fault === "access_denied") throw fail("denied", denial(caller, service, operation));
    const shapes = model.operations.get(operation);
    const run = service.operations[operation];
    if (!shapes) throw fail("unknown_operation", `Operation ${operation} is unknown`);
    if (!run) throw new AwsError("NotImplementedException", `The sandbox does not emulate ${operation}`, 501);
    const input = readInput(service, shapes.input, form, body);
    const problems = shapes.input === null ? [] : checkInput(model, shapes.input, input);
    if (problems.length > 0) throw fail("constraint", constraintMessage(problems));
    return run(input, { world, caller, now: now() });
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, options.host ?? "127.0.0.1", resolve);
  }).catch((error: unknown) => {
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
      return world.create(placeNew(world, target, type, name, new Map(Object.entries(tags)))).arn;
    },
    setFaults: (rules) => faults.set(rules),
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

/** The service and the operation of a request: by `X-Amz-Target`, or by `Action` of a form. */
function route(request: IncomingMessage, form: URLSearchParams): [Service, string] {
  const header = request.headers["x-amz-target"];
  if (typeof header === "string") {
    const dot = header.lastIndexOf(".");
    const service = SERVICES.find((each) => each.protocol === "json" && each.prefix === header.slice(0, dot));
    if (service) return [service, header.slice(dot + 1)];
    throw new AwsError("UnknownOperationException", `The sandbox has no service ${header.slice(0, dot)}`);
  }
  const action = form.get("Action") ?? new URL(request.url ?? "/", "http://sandbox").searchParams.get("Action");
  if (action !== null) return [STS, action];
  throw new AwsError("UnknownOperationException", "The request names no operation", 404);
}

function readInput(service: Service, shape: string | null, form: URLSearchParams, body: string): Json {
  if (shape === null) return {};
  return service.protocol === "json" ? decodeJson(body) : decodeQuery(service.model, shape, form);
}

/** A signature for another service is refused, as AWS does before it looks at the operation. */
function refuseOtherScope(service: Service, caller: Caller): void {
  if (caller.service === service.signing_name) return;
  const message = `Credential should be scoped to correct service: '${service.signing_name}'.`;
  throw new AwsError(service.protocol === "json" ? "InvalidSignatureException" : "SignatureDoesNotMatch", message, 403);
}

function denial(caller: Caller, service: Service, operation: string): string {
  return (
    `User: ${caller.arn} is not authorized to perform: ${service.iam_prefix}:${operation} ` +
    "because no identity-based policy allows the action"
  );
}

function isControl(request: IncomingMessage): boolean {
  return request.method === "GET" || (request.url ?? "").startsWith("/_sandbox/");
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
  const { arn, account_id, region, type, name, status, tags, ever_tagged, stack } = resource;
  return {
    arn,
    account_id,
    region,
    type,
    name,
    status,
    created_at: new Date(resource.created_at),
    tags,
    ever_tagged,
    stack,
  };
}
