import { readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { NO_DATABASE, openApp } from "./open-app.ts";

const COMMITTED = new URL("../../docs/openapi.json", import.meta.url);

test("docs/openapi.json is the description that the server gives (UPDATE_OPENAPI=1 writes it)", async () => {
  const served = await (await openApp(NO_DATABASE).app.request("/openapi.json")).json();
  const text = `${JSON.stringify(served, null, 2)}\n`;
  if (process.env["UPDATE_OPENAPI"] === "1") await writeFile(COMMITTED, text);
  expect(JSON.parse(await readFile(COMMITTED, "utf8"))).toEqual(served);
});

test("every operation has an id, a tag and a summary, and no path shows a pattern of the router", async () => {
  const served = (await (await openApp(NO_DATABASE).app.request("/openapi.json")).json()) as {
    openapi: string;
    paths: Record<string, Record<string, { operationId?: string; tags?: string[]; summary?: string }>>;
  };
  expect(served.openapi).toBe("3.1.0");
  expect(Object.keys(served.paths).length).toBeGreaterThanOrEqual(12);
  for (const [path, operations] of Object.entries(served.paths)) {
    expect(path).toMatch(/^\/[a-z/0-9{}_.]+$/);
    for (const operation of Object.values(operations)) {
      expect(operation.operationId).toMatch(
        /^(list|get|create|update|revoke|cancel|approve|confirm|reject|delete|receive|end|pause|resume|apply|undo)[A-Z]/,
      );
      expect(operation.tags?.length).toBe(1);
      expect(operation.summary).toBeTruthy();
    }
  }
});
