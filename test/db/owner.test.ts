import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openDatabase } from "../../src/db/open.ts";
import { claimFolder } from "../../src/db/owner.ts";

const folder = () => mkdtemp(join(tmpdir(), "tagwarden-owner-"));
const now = new Date("2026-11-23T03:00:00Z");

test("a second command is told who has the embedded database", async () => {
  const place = await folder();
  const claim = await claimFolder(place, "tagwarden serve", now);
  await expect(claimFolder(place, "tagwarden scan", now)).rejects.toThrow(
    new RegExp(`in use by \`tagwarden serve\` \\(process ${process.pid}, since 2026-11-23T03:00:00.000Z\\)`),
  );
  await claim.release();
  await (await claimFolder(place, "tagwarden scan", now)).release();
});

test("what a dead process left behind does not lock anyone out", async () => {
  const place = await folder();
  await writeFile(join(place, "owner.sock"), "");
  await (await claimFolder(place, "tagwarden scan", now)).release();
});

test("a folder with a long path can be claimed too", async () => {
  const place = join(await folder(), "a".repeat(120));
  await mkdir(place);
  const claim = await claimFolder(place, "tagwarden serve", now);
  await expect(claimFolder(place, "tagwarden scan", now)).rejects.toThrow(/in use by/);
  await claim.release();
});

test("an owner too busy to answer still owns its database", async () => {
  const place = await folder();
  const path = join(place, "owner.sock");
  const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => {
    process.stdout.write("listening");
    setTimeout(() => { for (;;); });
  })`;
  const busy = spawn(process.execPath, ["-e", script]);
  try {
    await once(busy.stdout, "data");
    await expect(claimFolder(place, "tagwarden scan", now)).rejects.toMatchObject({
      name: "DatabaseOwnedError",
      message: expect.stringMatching(/in use by another process, which is too busy to say who it is/) as string,
    });
  } finally {
    busy.kill("SIGKILL");
    await once(busy, "exit");
  }
  await (await claimFolder(place, "tagwarden scan", now)).release();
});

test("of many commands that start after a crash, one gets the database", async () => {
  for (let round = 0; round < 40; round++) {
    const place = await folder();
    await writeFile(join(place, "owner.sock"), "");
    const claims = await Promise.allSettled(Array.from({ length: 8 }, () => claimFolder(place, "tagwarden scan", now)));
    const owners = claims.flatMap((claim) => (claim.status === "fulfilled" ? claim.value : []));
    expect(owners).toHaveLength(1);
    await owners[0]?.release();
  }
});

test("a folder in which nothing can be claimed is a database that cannot be opened", async () => {
  const place = await folder();
  await mkdir(join(place, "owner.sock", "in-the-way"), { recursive: true });
  await expect(openDatabase({ url: null, folder: place, command: "tagwarden scan" }, now)).rejects.toMatchObject({
    name: "DatabaseUnreachableError",
  });
});
