import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
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
