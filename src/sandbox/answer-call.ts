import type { IncomingMessage } from "node:http";
import type { Caller } from "./caller.ts";
import type { Json } from "./check-input.ts";
import { checkInput, constraintMessage } from "./check-input.ts";
import { CLOUDTRAIL } from "./cloudtrail.ts";
import { AwsError } from "./error.ts";
import type { FaultKind } from "./faults.ts";
import { ORGANIZATIONS } from "./organizations.ts";
import { PERSONALIZE } from "./personalize.ts";
import { decodeJson, decodeQuery } from "./protocol.ts";
import type { Context, Handler, Service } from "./service.ts";
import { STS } from "./sts.ts";
import { TAGGING } from "./tagging.ts";

const SERVICES: readonly Service[] = [PERSONALIZE, TAGGING, STS, ORGANIZATIONS, CLOUDTRAIL];

/** What a request asks for. `form` is there for the query protocol only. */
export type Call = {
  readonly service: Service;
  readonly operation: string;
  readonly body: string;
  readonly form: URLSearchParams | null;
};

/** The service and the operation of a request: by `X-Amz-Target`, or by `Action` of a form. Throws AwsError for any other. */
export function readCall(request: IncomingMessage, body: string): Call {
  const header = request.headers["x-amz-target"];
  if (typeof header === "string") {
    const dot = header.lastIndexOf(".");
    const service = SERVICES.find((each) => each.protocol === "json" && isTarget(header.slice(0, dot), each));
    if (service) return { service, operation: header.slice(dot + 1), body, form: null };
    throw new AwsError("UnknownOperationException", `The sandbox has no service ${header.slice(0, dot)}`);
  }
  const { searchParams } = new URL(request.url ?? "/", "http://sandbox");
  const form = searchParams.has("Action") ? searchParams : new URLSearchParams(body);
  const operation = form.get("Action");
  if (operation !== null) return { service: STS, operation, body, form };
  throw new AwsError("UnknownOperationException", "The request names no operation", 404);
}

/** Some clients put the namespace of the service before its name, as botocore does for CloudTrail. */
function isTarget(name: string, { prefix }: Service): boolean {
  return name === prefix || name.endsWith(`.${prefix}`);
}

/** A signature for another service is refused, as AWS does before it looks at the operation. */
export function refuseOtherScope(service: Service, caller: Caller): void {
  if (caller.service === service.signing_name) return;
  const message = `Credential should be scoped to correct service: '${service.signing_name}'.`;
  throw new AwsError(service.protocol === "json" ? "InvalidSignatureException" : "SignatureDoesNotMatch", message, 403);
}

/** Checks a call and does it. Throws AwsError: that of the fault, or what AWS says to such a request. */
export function perform(call: Call, fault: FaultKind | null, context: Context): Json {
  const { service, operation } = call;
  const { errors, model } = service;
  const fail = (kind: keyof Service["errors"], message: string): AwsError =>
    new AwsError(errors[kind].name, message, errors[kind].status);
  if (fault === "throttle") throw fail("throttle", "Rate exceeded");
  if (fault === "server_error") throw fail("internal", "The request failed because of an internal error");
  if (fault === "access_denied") throw fail("denied", denial(context.caller, service, operation));
  const shapes = model.operations.get(operation);
  const run = service.operations[operation];
  if (!shapes) throw fail("unknown_operation", `Operation ${operation} is unknown`);
  if (!run) throw new AwsError("NotImplementedException", `The sandbox does not emulate ${operation}`, 501);
  const refusal = context.roles.refusal(context.caller, `${service.iam_prefix}:${operation}`);
  if (refusal !== null) throw fail("denied", denial(context.caller, service, operation, refusal));
  if (shapes.input === null) return run({}, context);
  const input = call.form ? decodeQuery(model, shapes.input, call.form) : decodeJson(call.body);
  service.refuse?.(input);
  const problems = checkInput(model, shapes.input, input);
  if (problems.length > 0) throw fail("constraint", constraintMessage(problems));
  if (service !== PERSONALIZE || !CHANGES.test(operation)) return run(input, context);
  return kept(operation, input, context, run);
}

/** Operations of Personalize that change something. */
const CHANGES = /^(Create|Delete|Update|Start|Stop|Tag|Untag)/;

/** Does a call, and keeps in the trail how it went. */
function kept(name: string, input: Json, context: Context, run: Handler): Json {
  const { world, caller, now: at } = context;
  const call = { caller, name, source: "personalize.amazonaws.com", input, at };
  try {
    const answer = run(input, context);
    world.trail.keep({ ...call, answer, error: null });
    return answer;
  } catch (error) {
    if (error instanceof AwsError) world.trail.keep({ ...call, answer: null, error });
    throw error;
  }
}

function denial(caller: Caller, { iam_prefix }: Service, operation: string, reason?: string): string {
  const action = `${iam_prefix}:${operation}`;
  const why = reason ?? `no identity-based policy allows the ${action} action`;
  return `User: ${caller.arn} is not authorized to perform: ${action} because ${why}`;
}
