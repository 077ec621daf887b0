import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { Json } from "./check-input.ts";
import { AwsError } from "./error.ts";
import type { Model } from "./model.ts";
import { shapeOf } from "./model.ts";
import type { Service } from "./service.ts";

/** Reads a JSON 1.1 body. An empty body is an empty request. */
export function decodeJson(body: string): Json {
  if (body.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  } catch {
    // Falls through to the same answer as a body that is no object.
  }
  throw new AwsError("SerializationException", "The request body is not a JSON object");
}

/** Reads the parameters of the query protocol (`Tags.member.1.Key=…`) into the shape of the request. */
export function decodeQuery(model: Model, shape: string, form: URLSearchParams): Json {
  const value = decodeAt(model, shape, form, "");
  return (value ?? {}) as Json;
}

function decodeAt(model: Model, name: string, form: URLSearchParams, path: string): unknown {
  const shape = shapeOf(model, name);
  if (shape.kind === "structure") {
    const entries = shape.members.flatMap((member): [string, unknown][] => {
      const value = decodeAt(model, member.shape, form, path === "" ? member.name : `${path}.${member.name}`);
      return value === undefined ? [] : [[member.name, value]];
    });
    return entries.length === 0 ? undefined : Object.fromEntries(entries);
  }
  if (shape.kind === "list") {
    const items: unknown[] = [];
    for (;;) {
      const item = decodeAt(model, shape.element, form, `${path}.member.${items.length + 1}`);
      if (item === undefined) return items.length === 0 ? undefined : items;
      items.push(item);
    }
  }
  const text = form.get(path);
  if (text === null) return undefined;
  if (shape.kind === "boolean") return text === "true";
  return shape.kind === "integer" || shape.kind === "double" ? Number(text) : text;
}

/** Sends an answer in the protocol of its service. */
export function sendAnswer(response: ServerResponse, service: Service, operation: string, answer: Json): void {
  const request_id = randomUUID();
  const body =
    service.protocol === "json"
      ? JSON.stringify(answer)
      : `<${operation}Response xmlns="${service.prefix}"><${operation}Result>${toXml(answer)}</${operation}Result>` +
        `<ResponseMetadata><RequestId>${request_id}</RequestId></ResponseMetadata></${operation}Response>`;
  send(response, 200, service.protocol, request_id, body);
}

/** Sends an error in the protocol of its service. */
export function sendError(response: ServerResponse, service: Service | null, error: AwsError): void {
  const request_id = randomUUID();
  const protocol = service?.protocol ?? "json";
  const body =
    protocol === "json"
      ? JSON.stringify({ __type: error.name, message: error.message, ...error.fields })
      : `<ErrorResponse xmlns="${service?.prefix ?? ""}"><Error><Type>${error.status < 500 ? "Sender" : "Receiver"}</Type>` +
        `${toXml({ Code: error.name, Message: error.message })}</Error><RequestId>${request_id}</RequestId></ErrorResponse>`;
  send(response, error.status, protocol, request_id, body);
}

function send(
  response: ServerResponse,
  status: number,
  protocol: Service["protocol"],
  request_id: string,
  body: string,
): void {
  response.writeHead(status, {
    "content-type": protocol === "json" ? "application/x-amz-json-1.1" : "text/xml",
    "content-length": Buffer.byteLength(body),
    "x-amzn-requestid": request_id,
  });
  response.end(body);
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };

function toXml(value: Json): string {
  return Object.entries(value)
    .map(
      ([name, item]) =>
        `<${name}>${typeof item === "object" && item !== null ? toXml(item as Json) : escape(item)}</${name}>`,
    )
    .join("");
}

function escape(item: unknown): string {
  return String(item).replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
