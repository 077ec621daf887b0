import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { applyCommand } from "../../src/cli/apply.ts";
import { findingsCommand } from "../../src/cli/findings.ts";
import { plan, planCommand } from "../../src/cli/plan.ts";
import { plansCommand } from "../../src/cli/plans.ts";
import { parseConfigFile } from "../../src/config.ts";
import { openApp } from "../http/open-app.ts";
import { blocksOf } from "../policy/document.ts";
import { workFolder } from "../support/cli.ts";
import { ACTOR, setOf, World } from "./world.ts";

const REPAIR = blocksOf(readFileSync("docs/repair.md", "utf8"));
const API = readFileSync("docs/api.md", "utf8");
const SET = setOf(
  "version: 1\nid: p\nrules:\n  - {id: owner, key: Owner, required: true, format: email}\n  - {id: cost, key: CostCenter, required: true, pattern: 'CC-\\d{4}'}",
);

describe("what the documents say of plans", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open("pglite");
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset(SET));

  function resource(type: "campaign" | "recommender", name: string): string {
    return world.sandbox.createResource({ account_id: world.account_id, region: "us-east-1" }, type, name, {});
  }

  test("every option of docs/repair.md is one that the command has", () => {
    const lines = REPAIR.filter(({ kind }) => kind === "console").flatMap(({ text }) => text.split("\n"));
    const commands = lines.flatMap((line) => /^\$ tagwarden (.*?)(?: {2,}#.*)?$/.exec(line)?.[1] ?? []);
    expect(commands.length).toBeGreaterThanOrEqual(9);
    const known = [planCommand(), plansCommand(), findingsCommand(), applyCommand()];
    for (const line of commands) {
      const [name = "", sub = ""] = line.split(" ");
      const command = known.find((one) => one.name() === name);
      if (!command) continue;
      const options = (command.commands.find((one) => one.name() === sub) ?? command).options.map(({ long }) => long);
      for (const [option] of line.matchAll(/--[a-z-]+/g)) expect(options, line).toContain(option);
    }
  });

  test("the sheet of docs/repair.md is read and planned", async () => {
    const arns = [resource("campaign", "search-home"), resource("recommender", "shop-front")];
    await world.scan();
    const text = REPAIR.find(({ name }) => name === "values.csv")?.text ?? "";
    const folder = await workFolder();
    const from = join(folder, "values.csv");
    await writeFile(from, text.replaceAll("111122223333", world.account_id));
    let printed = "";
    const out = (more: string) => void (printed += more);
    await plan({ ...world.deps(), now: world.time, actor: ACTOR, color: false, out }, { from });
    const id = /tagwarden apply (\S+)/.exec(printed)?.[1] ?? "";
    expect((await world.action(id, arns[0]!)).changes).toMatchObject([{ after: "search@example.com" }]);
    expect((await world.action(id, arns[1]!)).changes).toMatchObject([
      { after: "CC-1234" },
      { after: "shop@example.com" },
    ]);
  });

  test("the settings of docs/repair.md are valid", () => {
    const settings = REPAIR.filter(({ kind }) => kind === "yaml").map(({ text }) => parseConfigFile("t.yaml", text));
    expect(settings.map(({ remediation }) => remediation.approval)).toContainEqual({ by: "another", hours: 72 });
  });

  test("the requests of docs/api.md are accepted, one after the other", async () => {
    resource("campaign", "search-home");
    resource("recommender", "shop-front");
    await world.scan();
    const { app } = openApp(world.database, { now: world.now });
    let [id, hash] = ["", ""];
    const states: string[] = [];
    for (const [, path = "", body = ""] of API.matchAll(/^```json POST (\/api\/v1\/plans\S*)\n([^]*?)^```$/gm)) {
      const text = body.replaceAll("111122223333", world.account_id).replace("{hash}", hash);
      const headers = { "Content-Type": "application/json" };
      const response = await app.request(path.replace("{id}", id), { method: "POST", headers, body: text });
      expect(response.ok).toBe(true);
      const answer = (await response.json()) as {
        plan?: { id: string; hash: string; state: string } | null;
        state: string;
      };
      ({ id, hash } = answer.plan ?? { id, hash });
      states.push(`${response.status} ${answer.plan === null ? "nothing" : (answer.plan?.state ?? answer.state)}`);
    }
    expect(states).toEqual(["201 proposed", "200 approved", "202 approved", "200 nothing"]);
  });
});
