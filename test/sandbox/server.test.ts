import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateSchemaCommand,
  CreateSolutionCommand,
  ListSchemasCommand,
  StopRecommenderCommand,
} from "@aws-sdk/client-personalize";
import { afterEach, describe, expect, it } from "vitest";
import { RESOURCE_TYPE_NAMES } from "../../src/inventory/resource-types.ts";
import type { Sandbox, SandboxOptions } from "../../src/sandbox/server.ts";
import { startSandbox } from "../../src/sandbox/server.ts";
import { clientsOf, ONE_TARGET, sandboxes } from "./sdk.ts";

const start = sandboxes();
const PLACE = { account_id: "111122223333", region: "us-east-1" };

const stateOf = (sandbox: Sandbox) =>
  [...sandbox.resources()].map((resource) => ({ ...resource, tags: Object.fromEntries(resource.tags) }));

/** A bare HTTP call, signed for a service or not at all. */
async function post(
  sandbox: Sandbox,
  headers: Record<string, string>,
  body: string,
  service: string | null = "personalize",
) {
  const authorization = `AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/${service}/aws4_request, Signature=0`;
  const response = await fetch(sandbox.url, {
    method: "POST",
    headers: { ...headers, ...(service === null ? {} : { authorization }) },
    body,
  });
  const text = await response.text();
  return { status: response.status, type: response.headers.get("content-type"), text };
}

const target = (operation: string) => ({ "x-amz-target": `AmazonPersonalize.${operation}` });

describe("the wire", () => {
  it.each([
    ["a value of the wrong kind", "ListFilters", '{"maxResults": "ten"}', "SerializationException"],
    ["a body that is no JSON", "ListFilters", "{", "SerializationException"],
    ["a body that is no object", "ListFilters", "[]", "SerializationException"],
    ["an unknown operation", "ListGadgets", "{}", "UnknownOperationException"],
    ["a missing member", "DescribeFilter", "{}", "InvalidInputException"],
    ["a null member", "DescribeFilter", '{"filterArn": null}', "InvalidInputException"],
    ["a member out of range", "ListFilters", '{"maxResults": 0}', "InvalidInputException"],
    ["an ARN of the wrong form", "DescribeFilter", '{"filterArn": "filter/x"}', "InvalidInputException"],
    ["a value that is in no enum", "CreateDatasetGroup", '{"name": "a", "domain": "MUSIC"}', "InvalidInputException"],
  ])("refuses %s", async (_what, operation, body, name) => {
    const sandbox = await start({ ...ONE_TARGET, resources: 20 });
    const answer = await post(sandbox, target(operation), body);
    expect(answer).toMatchObject({ status: 400, type: "application/x-amz-json-1.1" });
    expect(JSON.parse(answer.text)).toMatchObject({ __type: name });
  });

  it("names every broken constraint at once", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 20 });
    const body = JSON.stringify({ resourceArn: "x", tags: [{ tagKey: "", tagValue: "a,b" }, { tagKey: "k" }] });
    const { message } = JSON.parse((await post(sandbox, target("TagResource"), body)).text) as { message: string };
    expect(message).toMatch(/^4 validation errors detected: /);
    for (const path of ["resourceArn", "tags.1.member.tagKey", "tags.1.member.tagValue", "tags.2.member.tagValue"]) {
      expect(message).toContain(`'${path}'`);
    }
  });

  it("wants a signature, for the right service", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 20 });
    const unsigned = await post(sandbox, target("ListFilters"), "{}", null);
    expect(unsigned.status).toBe(403);
    expect(unsigned.text).toContain("MissingAuthenticationTokenException");
    const other = await post(sandbox, target("ListFilters"), "{}", "tagging");
    expect(other.text).toContain("InvalidSignatureException");
  });

  it("speaks XML for STS", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 20 });
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const good = await post(sandbox, form, "Action=GetCallerIdentity&Version=2011-06-15", "sts");
    expect(good).toMatchObject({ status: 200, type: "text/xml" });
    expect(good.text).toContain("<Account>111122223333</Account>");
    const bad = await post(sandbox, form, "Action=GetEverything", "sts");
    expect(bad.status).toBe(400);
    expect(bad.text).toContain("<Code>InvalidAction</Code>");
    const list = "Action=AssumeRole&RoleArn=short&RoleSessionName=x&Tags.member.1.Key=a&DurationSeconds=1";
    const { text } = await post(sandbox, form, list, "sts");
    expect(text).toContain("<Code>ValidationError</Code>");
    expect(text).toContain("4 validation errors detected");
  });

  it("says what it does not emulate", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 20 });
    const answer = await post(sandbox, target("ListMetricAttributionMetrics"), "{}");
    expect(answer.status).toBe(501);
    expect(answer.text).toContain("does not emulate ListMetricAttributionMetrics");
  });
});

describe("the control of a running sandbox", () => {
  const send = async (sandbox: Sandbox, path: string, body: unknown) => {
    const response = await fetch(`${sandbox.url}/_sandbox/${path}`, { method: "POST", body: JSON.stringify(body) });
    return [response.status, await response.json()];
  };

  it("tells that it is a sandbox", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 20 });
    const answer = await (await fetch(sandbox.url)).json();
    expect(answer).toMatchObject({ service: "tagwarden-sandbox", organization: { role_name: "TagwardenAudit" } });
  });

  it("changes the world, faults and latency over HTTP, and refuses nonsense with a reason", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 20 });
    const [, made] = await send(sandbox, "create", { ...PLACE, type: "filter", name: "by-http", tags: { a: "b" } });
    const arn = (made as { arn: string }).arn;
    expect(await send(sandbox, "tags", { arn, tags: { c: "d" } })).toEqual([200, { ok: true }]);
    expect([...sandbox.resources({ type: "filter" })].at(-1)?.tags).toEqual(new Map([["c", "d"]]));
    await send(sandbox, "delete", { arn });
    expect([...sandbox.resources()].some((resource) => resource.arn === arn)).toBe(false);
    expect(await send(sandbox, "faults", [{ kind: "throttle" }])).toEqual([200, { ok: true }]);
    expect((await post(sandbox, target("ListFilters"), "{}")).text).toContain("ThrottlingException");
    const calls: unknown = await (await fetch(`${sandbox.url}/_sandbox/calls`)).json();
    expect(calls).toEqual({ total: 1, by_operation: { ListFilters: 1 } });
    await send(sandbox, "reset-calls", {});
    expect(sandbox.calls.total).toBe(0);
    expect((await send(sandbox, "faults", [{ kind: "earthquake" }]))[0]).toBe(400);
    expect((await send(sandbox, "latency", { ms: -1 }))[0]).toBe(400);
    expect((await send(sandbox, "tags", { arn, tags: {} }))[0]).toBe(400);
    expect((await send(sandbox, "nothing", {}))[0]).toBe(404);
  });

  it("dumps the state, one resource a line", async () => {
    const sandbox = await start({ resources: 300 });
    const text = await (await fetch(`${sandbox.url}/_sandbox/resources`)).text();
    const lines = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { created_at: string });
    expect(lines.map((line) => ({ ...line, created_at: new Date(line.created_at) }))).toEqual(stateOf(sandbox));
  });
});

describe("the world", () => {
  it("is the same for the same seed, and another for another", async () => {
    const [first, second, other] = await Promise.all([start({ seed: 7 }), start({ seed: 7 }), start({ seed: 8 })]);
    expect(stateOf(first)).toEqual(stateOf(second));
    expect(stateOf(first)).not.toEqual(stateOf(other));
  });

  it.each([1, 5, 20, 100, 1000, 10_000])(
    "has exactly %i resources when asked, with ARNs of the exact forms",
    async (resources) => {
      const sandbox = await start({ resources });
      const all = stateOf(sandbox);
      expect(all).toHaveLength(resources);
      expect(new Set(all.map(({ arn }) => arn)).size).toBe(resources);
      const name = String.raw`[a-zA-Z0-9][\w-]{0,62}`;
      const forms: Record<string, string> = {
        dataset: `dataset/${name}/(INTERACTIONS|ITEMS|USERS|ACTIONS|ACTION_INTERACTIONS)`,
        "event-tracker": "event-tracker/[0-9a-f]{8}",
        "solution-version": `solution/${name}/[0-9a-f]{8}`,
      };
      for (const { arn, type } of all) {
        const form = forms[type] ?? `${type}/${name}`;
        expect(arn).toMatch(new RegExp(String.raw`^arn:aws:personalize:(us-east-1|eu-west-1):\d{12}:${form}$`));
      }
    },
  );

  it("has every type, most statuses, and the habits of real teams", async () => {
    const all = stateOf(await start({ resources: 5000 }));
    expect(new Set(all.map(({ type }) => type)).size).toBe(RESOURCE_TYPE_NAMES.length);
    const statuses = [
      "ACTIVE",
      "CREATE FAILED",
      "DELETE IN_PROGRESS",
      "INACTIVE",
      "COMPLETED",
      "FAILED",
      "IN PROGRESS",
    ];
    expect([...new Set(all.map(({ status }) => status))]).toEqual(expect.arrayContaining(statuses));
    const keys = new Set(all.flatMap(({ tags }) => Object.keys(tags)));
    const wanted = ["CostCenter", "cost-center", "costcenter", "CostCentre", "Enviroment", "env", "temp:created-by"];
    expect([...keys]).toEqual(expect.arrayContaining([...wanted, "aws:cloudformation:stack-name"]));
    expect(all.some(({ tags }) => tags["Environment"] === "Production")).toBe(true);
    expect(all.some(({ ever_tagged, tags }) => ever_tagged && Object.keys(tags).length === 0)).toBe(true);
    expect(
      all.some(({ type, stack, tags }) => type === "campaign" && stack && !tags["aws:cloudformation:stack-name"]),
    ).toBe(true);
  });

  it("keeps the share of never-tagged resources it is given, and the largest type at 26 pages of 100 in 10,000", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 10_000, never_tagged_share: 0.03 });
    const never = [...sandbox.resources()].filter(({ ever_tagged }) => !ever_tagged).length;
    expect(never).toBeGreaterThan(250);
    expect(never).toBeLessThan(350);
    const sizes = RESOURCE_TYPE_NAMES.map((type) => [...sandbox.resources({ type })].length);
    expect(Math.ceil(Math.max(...sizes) / 100)).toBe(26);
  });

  it("starts at once with a million resources", async () => {
    const began = performance.now();
    const sandbox = await start({ resources: 1_000_000, accounts: 49 });
    const { schemas } = await clientsOf(sandbox).personalize.send(new ListSchemasCommand({}));
    expect(schemas?.length).toBeGreaterThan(0);
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});

describe("the journal", () => {
  const folders: string[] = [];
  afterEach(async () => {
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
  });
  const newFile = async () => {
    const folder = await mkdtemp(join(tmpdir(), "sandbox-"));
    folders.push(folder);
    return join(folder, "deep", "state.ndjson");
  };
  const options = (state_file: string): SandboxOptions => ({ ...ONE_TARGET, resources: 200, state_file });

  async function change(sandbox: Sandbox): Promise<void> {
    const { personalize } = clientsOf(sandbox);
    const filter = sandbox.createResource(PLACE, "filter", "kept", { Owner: "a" });
    sandbox.setTags(filter, { Owner: "b" });
    const group = sandbox.createResource(PLACE, "dataset-group", "kept");
    sandbox.deleteResource([...sandbox.resources({ type: "campaign" })][0]!.arn);
    const tags = [{ tagKey: "Made", tagValue: "by the API" }];
    await personalize.send(new CreateSolutionCommand({ name: "kept", datasetGroupArn: group, tags }));
    await personalize.send(new CreateSchemaCommand({ name: "kept", schema: "{}" }));
    const recommender = sandbox.createResource(PLACE, "recommender", "kept");
    await personalize.send(new StopRecommenderCommand({ recommenderArn: recommender }));
  }

  it("brings every change back at the next start", async () => {
    const file = await newFile();
    const first = await startSandbox(options(file));
    await change(first);
    const before = stateOf(first);
    await first.close();
    const second = await start(options(file));
    expect(stateOf(second)).toEqual(before);
    const { schemas } = await clientsOf(second).personalize.send(new ListSchemasCommand({}));
    expect(schemas?.map(({ name }) => name)).toContain("kept");
  });

  it("drops a last line that a crash cut off, and goes on behind it", async () => {
    const file = await newFile();
    const first = await startSandbox(options(file));
    await change(first);
    const before = stateOf(first);
    await first.close();
    await appendFile(file, '{"at":"2026-01-01T00:00:00.000Z","change":{"kind":"del');
    const second = await startSandbox(options(file));
    expect(stateOf(second)).toEqual(before);
    const arn = second.createResource(PLACE, "filter", "after");
    await second.close();
    const third = await start(options(file));
    expect(stateOf(third).map((resource) => resource.arn)).toContain(arn);
  });

  it("refuses the journal of another world, and says where one is broken", async () => {
    const file = await newFile();
    await (await startSandbox(options(file))).close();
    await expect(startSandbox({ ...options(file), seed: 2 })).rejects.toThrow(/belongs to another sandbox/);
    await writeFile(file, `${(await readFile(file, "utf8")).trim()}\nnonsense\n`);
    await expect(startSandbox(options(file))).rejects.toThrow(/state\.ndjson:2: not a line/);
  });
});
