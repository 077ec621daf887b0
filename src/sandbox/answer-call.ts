import type { IncomingMessage } from "node:http";
import type { Caller } from "./caller.ts";
import type { Json } from "./check-input.ts";
import { checkInput, constraintMessage } from "./check-input.ts";
import { AwsError } from "./error.ts";
import type { FaultKind } from "./faults.ts";
import { ORGANIZATIONS } from "./organizations.ts";
import { PERSONALIZE } from "./personalize.ts";
import { decodeJson, decodeQuery } from "./protocol.ts";
import type { Context, Service } from "./service.ts";
import { STS } from "./sts.ts";
import { TAGGING } from "./tagging.ts";

const SERVICES: readonly Service[] = [PERSONALIZE, TAGGING, STS, ORGANIZATIONS];

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
    const service = SERVICES.find((each) => each.protocol === "json" && each.prefix === header.slice(0, dot));
    if (service) return { service, operation: header.slice(dot + 1), body, form: null };
    throw new AwsError("UnknownOperationException", `The sandbox has no service ${header.slice(0, dot)}`);
  }
  const { searchParams } = new URL(request.url ?? "/", "http://sandbox");
  const form = searchParams.has("Action") ? searchParams : new URLSearchParams(body);
  const operation = form.get("Action");
  if (operation !== null) return { service: STS, operation, body, form };
  throw new AwsError("UnknownOperationException", "The request names no operation", 404);
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
  const problems = checkInput(model, shapes.input, input);
  if (problems.length > 0) throw fail("constraint", constraintMessage(problems));
  return run(input, context);
}

function denial(caller: Caller, { iam_prefix }: Service, operation: string, reason?: string): string {
  const action = `${iam_prefix}:${operation}`;
  const why = reason ?? `no identity-based policy allows the ${action} action`;
  return `User: ${caller.arn} is not authorized to perform: ${action} because ${why}`;
}
