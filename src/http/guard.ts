import { bodyLimit } from "hono/body-limit";
import { createMiddleware } from "hono/factory";
import { secureHeaders } from "hono/secure-headers";
import { randomUUID } from "node:crypto";
import { ProblemError } from "./problem.ts";

/** What each request carries: its id, which errors and the log name; and, from the server, whether it is bound to loopback. */
export type HttpEnv = { Variables: { request_id: string }; Bindings: { loopback_only?: boolean } };

const BODY_LIMIT_BYTES = 1_000_000;
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);
const LOOPBACK_NAMES = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Gives every request an id of ours and returns it in `X-Request-Id`; an incoming one is not believed. */
export const requestId = createMiddleware<HttpEnv>(async (c, next) => {
  const id = randomUUID();
  c.set("request_id", id);
  await next();
  c.header("X-Request-Id", id);
});

/** Nothing but our own style sheet is loaded, nothing is framed, nothing is cached by others. No script exists. */
export const securityHeaders = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'", "data:"],
    formAction: ["'self'"],
    baseUri: ["'none'"],
    frameAncestors: ["'none'"],
  },
  permissionsPolicy: { camera: [], geolocation: [], microphone: [], payment: [], usb: [] },
  // `no-referrer` would make browsers send `Origin: null` with our own forms.
  referrerPolicy: "same-origin",
  xFrameOptions: "DENY",
  // The server speaks plain HTTP; a proxy in front that speaks TLS adds its own.
  strictTransportSecurity: false,
});

/**
 * Bound to the loopback interface, the server answers only for loopback names: a web page whose name is made to resolve
 * to 127.0.0.1 (DNS rebinding) sends its own name.
 */
export const hostCheck = createMiddleware<HttpEnv>(async (c, next) => {
  if (c.env?.loopback_only === true && !LOOPBACK_NAMES.has(new URL(c.req.url).hostname)) {
    throw new ProblemError("wrong-host", "The server is bound to the loopback interface: use localhost or 127.0.0.1.");
  }
  await next();
});

/**
 * Refuses what another site's page makes a browser send. Sec-Fetch-Site decides where the browser sends it, else Origin;
 * a client that is no browser sends neither. `same-site` is refused too: another port of localhost is the same site.
 */
export const crossSiteCheck = createMiddleware<HttpEnv>(async (c, next) => {
  if (!SAFE_METHODS.has(c.req.method)) {
    const site = c.req.header("Sec-Fetch-Site");
    const origin = c.req.header("Origin");
    const foreign =
      site !== undefined
        ? site !== "same-origin" && site !== "none"
        : origin !== undefined && hostOf(origin) !== new URL(c.req.url).host;
    if (foreign)
      throw new ProblemError(
        "cross-site",
        "Changes are accepted only from pages of this server, or from clients that are no browser.",
      );
  }
  await next();
});

/** Bodies of the API are JSON: a form of another site cannot send that. No body at all is fine. */
export const jsonOnly = createMiddleware<HttpEnv>(async (c, next) => {
  if (!SAFE_METHODS.has(c.req.method)) {
    const type = c.req.header("Content-Type");
    // Of a body that is there one of these speaks (RFC 9112, 6); Node gives a stream even where there is none.
    const has_body = c.req.header("Transfer-Encoding") !== undefined || Number(c.req.header("Content-Length") ?? 0) > 0;
    const json = type !== undefined && /^application\/([a-z.-]+\+)?json\s*(;|$)/i.test(type);
    if (!json && (has_body || type !== undefined)) {
      throw new ProblemError("unsupported-media-type", "Send the body with Content-Type: application/json.");
    }
  }
  await next();
});

/** At most 1 MB, whether or not a length is announced. */
export const limitBody = bodyLimit({
  maxSize: BODY_LIMIT_BYTES,
  onError: () => {
    throw new ProblemError("payload-too-large", `A body may have at most ${BODY_LIMIT_BYTES} bytes.`);
  },
});

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}
