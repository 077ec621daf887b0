import { request } from "node:http";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { serveApp } from "../../src/http/server.ts";
import { NO_DATABASE, openApp } from "./open-app.ts";

/** A request that names another host than the one it goes to, which fetch does not allow. */
function statusFor(url: string, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request(`${url}/livez`, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
  });
}

test("a server on loopback answers for its own names alone, and an address that is taken is said", async () => {
  const { app } = openApp(NO_DATABASE);
  const server = await serveApp(app, { host: "127.0.0.1", port: 0 });
  const port = Number(new URL(server.url).port);
  expect(await statusFor(server.url, `localhost:${port}`)).toBe(200);
  expect(await statusFor(server.url, `rebound.example:${port}`)).toBe(421);
  await expect(serveApp(app, { host: "127.0.0.1", port })).rejects.toMatchObject({
    message: expect.stringContaining(`cannot listen on 127.0.0.1:${port}`),
    code: "EADDRINUSE",
  });
  await server.close();
  await expect(fetch(`${server.url}/livez`)).rejects.toThrow();
});

test("a server that stops lets a running request end", async () => {
  let finish = () => {};
  const { app } = openApp(NO_DATABASE, {
    ready: () => new Promise((resolve) => (finish = () => resolve({ ok: true, checks: {} }))),
  });
  const server = await serveApp(app, { host: "127.0.0.1", port: 0 });
  const answer = fetch(`${server.url}/readyz`);
  await expect.poll(() => finish.toString()).toContain("resolve");
  const stopping = Date.now();
  const closed = server.close();
  finish();
  expect((await answer).status).toBe(200);
  await closed;
  expect(Date.now() - stopping).toBeLessThan(4_000);
});

/** As `curl -X POST` sends it: no body, and no header that speaks of one. fetch adds Content-Length. */
function postNothing(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1", () =>
      socket.end(`POST ${new URL(url).pathname} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`),
    );
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    socket.on("error", reject).on("close", () => resolve(Number(answer.split(" ")[1])));
  });
}

test("a scan can be asked for without a body", async () => {
  const { app } = openApp(NO_DATABASE);
  const server = await serveApp(app, { host: "127.0.0.1", port: 0 });
  expect(await postNothing(`${server.url}/api/v1/scans`)).toBe(202);
  await server.close();
});
