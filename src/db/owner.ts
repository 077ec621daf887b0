import { createHash } from "node:crypto";
import { mkdir, rm, stat } from "node:fs/promises";
import { createConnection, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** Who holds an embedded database. */
type Owner = { readonly pid: number; readonly command: string; readonly since: string };

/** The embedded database has one owner at a time, and it is another process. */
class DatabaseOwnedError extends Error {
  override name = "DatabaseOwnedError";
}

/**
 * Takes an embedded database's folder for this process, or throws DatabaseOwnedError that names who has it.
 * The claim is a listening socket: it dies with its process, however that ends, and no process id can be mistaken.
 */
export async function claimFolder(folder: string, command: string, now: Date): Promise<{ release(): Promise<void> }> {
  const path = socketPath(folder);
  const self: Owner = { pid: process.pid, command, since: now.toISOString() };
  for (let attempt = 0; attempt < 100; attempt++) {
    const server = (await listen(path, self)) ?? (await takeOver(path, self));
    if (server) {
      return { release: () => new Promise((done) => server.close(() => done())) };
    }
    const owner = await ask(path);
    if (owner) {
      const who =
        owner === "silent"
          ? "another process, which is too busy to say who it is"
          : `\`${owner.command}\` (process ${owner.pid}, since ${owner.since})`;
      throw new DatabaseOwnedError(
        `The embedded database in ${folder} is in use by ${who}. ` +
          "It allows one process at a time: stop that one, or set DATABASE_URL to a PostgreSQL server, which allows many.",
      );
    }
    await delay(50);
  }
  throw new DatabaseOwnedError(`The embedded database in ${folder} could not be claimed: ${path} is taken. Try again.`);
}

/** Who takes over a dead owner's socket does so alone: a folder made beside it. One left behind for longer is swept away. */
const TAKING_MS = 10_000;

/**
 * Puts a socket of ours in place of one that nobody listens on; null when somebody does, or is taking over just now. Without
 * the folder two commands could both find the dead socket, and the second remove the first one's new one.
 */
async function takeOver(path: string, self: Owner): Promise<Server | null> {
  const taking = `${path}.taking`;
  try {
    await mkdir(taking);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const { mtimeMs = Date.now() } = await stat(taking).catch(() => ({ mtimeMs: undefined }));
    if (Date.now() - mtimeMs > TAKING_MS) await rm(taking, { recursive: true, force: true });
    return null;
  }
  try {
    if (await ask(path)) return null;
    await rm(path, { force: true });
    return await listen(path, self);
  } finally {
    await rm(taking, { recursive: true, force: true });
  }
}

/** Socket paths are limited to about 100 bytes, so a long folder gets one in the temporary folder, named by its hash. */
function socketPath(folder: string): string {
  const path = join(resolve(folder), "owner.sock");
  if (Buffer.byteLength(path) < 100) return path;
  return join(tmpdir(), `tagwarden-${createHash("sha256").update(path).digest("hex").slice(0, 24)}.sock`);
}

function listen(path: string, self: Owner): Promise<Server | null> {
  return new Promise((done, fail) => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end(JSON.stringify(self));
    });
    server.once("error", (error: NodeJS.ErrnoException) => (error.code === "EADDRINUSE" ? done(null) : fail(error)));
    server.listen(path, () => {
      server.unref();
      done(server);
    });
  });
}

/** What connecting fails with when nobody listens: the socket was left behind, is not there, or is no socket. */
const NOBODY = ["ECONNREFUSED", "ENOENT", "ENOTSOCK"];

/**
 * Asks whoever listens who they are; null when nobody does. `silent`: somebody has the socket and does not answer, as when a long
 * query of the embedded database, which runs in its owner's own thread, keeps it busy. It lives, and must keep its database.
 */
function ask(path: string): Promise<Owner | "silent" | null> {
  return new Promise((done) => {
    let text = "";
    const socket = createConnection(path);
    socket.setTimeout(2000, () => {
      done("silent");
      socket.destroy();
    });
    socket.on("data", (chunk) => (text += chunk.toString()));
    socket.on("error", ({ code = "" }: NodeJS.ErrnoException) => done(NOBODY.includes(code) ? null : "silent"));
    socket.on("close", () => {
      try {
        done(JSON.parse(text) as Owner);
      } catch {
        done(null);
      }
    });
  });
}
