import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import type { Server } from "node:http";
import type { HttpEnv } from "./guard.ts";

/** A listening server. */
export type HttpServer = {
  /** `http://127.0.0.1:8080`: with the port that was given by the system when 0 was asked for. */
  readonly url: string;
  /** Takes no new connection, lets running requests end for up to 5 s, then cuts what is left. */
  close(): Promise<void>;
};

const GRACE_MS = 5_000;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/;

/** Listens. Throws when the address is taken or not ours, with Node's error as the cause and its `code`. */
export async function serveApp(
  app: Pick<Hono<HttpEnv>, "fetch">,
  address: { host: string; port: number },
): Promise<HttpServer> {
  const loopback_only = LOOPBACK.test(address.host);
  const server = createAdaptorServer({
    fetch: (request) => app.fetch(request, { loopback_only }),
    serverOptions: {
      // Longer than the 60 s after which common load balancers drop an idle connection, so it is they who do.
      keepAliveTimeout: 75_000,
      headersTimeout: 20_000,
      requestTimeout: 60_000,
      maxHeaderSize: 16_384,
    },
  }) as Server;
  await listen(server, address);
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : address.port;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return { url: `http://${host}:${port}`, close: () => closeServer(server) };
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException) => {
      const error = new Error(`cannot listen on ${host}:${port}: ${cause.message}`, { cause });
      reject(Object.assign(error, { code: cause.code }));
    };
    server.once("error", failed);
    server.listen(port, host, () => {
      server.off("error", failed);
      resolve();
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), GRACE_MS);
    // A connection whose request has just ended would otherwise be kept alive for the next one.
    const idle = setInterval(() => server.closeIdleConnections(), 50);
    server.close(() => {
      clearTimeout(cut);
      clearInterval(idle);
      resolve();
    });
  });
}
