import { ListAccountsCommand } from "@aws-sdk/client-organizations";
import { ListFiltersCommand, ListSolutionsCommand, TagResourceCommand } from "@aws-sdk/client-personalize";
import { GetResourcesCommand } from "@aws-sdk/client-resource-groups-tagging-api";
import { GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { describe, expect, it } from "vitest";
import type { FaultRule } from "../../src/sandbox/server.ts";
import { clientsOf, errorOf, ONE_TARGET, sandboxes } from "./sdk.ts";

const start = sandboxes();
const PLACE = { account_id: "111122223333", region: "us-east-1" };
const world = (faults: FaultRule[]) => start({ ...ONE_TARGET, resources: 100, faults });

describe("faults of the sandbox", () => {
  it("throttles in each service's own words", async () => {
    const sandbox = await world([{ kind: "throttle" }]);
    const { personalize, tagging, sts, organizations } = clientsOf(sandbox);
    expect((await errorOf(personalize.send(new ListFiltersCommand({})))).name).toBe("ThrottlingException");
    expect((await errorOf(tagging.send(new GetResourcesCommand({})))).name).toBe("ThrottledException");
    expect((await errorOf(sts.send(new GetCallerIdentityCommand({})))).name).toBe("Throttling");
    expect((await errorOf(organizations.send(new ListAccountsCommand({})))).name).toBe("TooManyRequestsException");
  });

  it("fails with 500 once, and the SDK's retry then succeeds", async () => {
    const sandbox = await world([{ kind: "server_error", times: 1 }]);
    const { Filters } = await clientsOf(sandbox, { maxAttempts: 2 }).personalize.send(new ListFiltersCommand({}));
    expect(Filters?.length).toBeGreaterThan(0);
    expect(sandbox.calls).toMatchObject({ total: 2, by_operation: { ListFilters: 2 } });
    sandbox.setFaults([{ kind: "server_error" }]);
    expect((await errorOf(clientsOf(sandbox).personalize.send(new ListFiltersCommand({})))).status).toBe(500);
  });

  it("denies access, 400 in JSON and 403 in XML", async () => {
    const sandbox = await world([{ kind: "access_denied" }]);
    const { personalize, sts } = clientsOf(sandbox);
    const denied = await errorOf(personalize.send(new ListFiltersCommand({})));
    expect(denied).toMatchObject({ name: "AccessDeniedException", status: 400 });
    expect(denied.message).toContain("personalize:ListFilters");
    expect(await errorOf(sts.send(new GetCallerIdentityCommand({})))).toMatchObject({
      name: "AccessDenied",
      status: 403,
    });
  });

  it("hangs until the client gives up, and still closes", async () => {
    const sandbox = await world([{ kind: "hang" }]);
    const call = clientsOf(sandbox).personalize.send(new ListFiltersCommand({}), {
      abortSignal: AbortSignal.timeout(200),
    });
    expect((await errorOf(call)).name).toBe("AbortError");
    void clientsOf(sandbox)
      .personalize.send(new ListFiltersCommand({}))
      .catch(() => undefined);
  });

  it("cuts the connection before anything happens, or after it did", async () => {
    const sandbox = await world([]);
    const { personalize } = clientsOf(sandbox);
    const arn = sandbox.createResource(PLACE, "filter", "cut", {});
    const ownTags = () => [...[...sandbox.resources({ type: "filter" })].find((each) => each.arn === arn)!.tags];
    const tag = () =>
      personalize.send(new TagResourceCommand({ resourceArn: arn, tags: [{ tagKey: "a", tagValue: "b" }] }));
    sandbox.setFaults([{ kind: "cut", operation: "TagResource" }]);
    expect((await errorOf(tag())).status).toBeUndefined();
    expect(ownTags()).toEqual([]);
    sandbox.setFaults([{ kind: "lost_reply", operation: "TagResource" }]);
    expect((await errorOf(tag())).status).toBeUndefined();
    expect(ownTags()).toEqual([["a", "b"]]);
  });

  it("hits only the operation, account and region it names", async () => {
    const sandbox = await start({ accounts: 1, resources: 100 });
    const [management, member] = sandbox.organization.accounts;
    const fails = async (account_id: string, region: string, command: ListFiltersCommand | GetResourcesCommand) => {
      const { personalize, tagging } = clientsOf(sandbox, { account_id, region });
      const call = command instanceof GetResourcesCommand ? tagging.send(command) : personalize.send(command);
      return call.then(
        () => false,
        () => true,
      );
    };
    sandbox.setFaults([{ kind: "throttle", operation: "List*", account_id: member!.id, region: "eu-west-1" }]);
    expect(await fails(member!.id, "eu-west-1", new ListFiltersCommand({}))).toBe(true);
    expect(await fails(member!.id, "us-east-1", new ListFiltersCommand({}))).toBe(false);
    expect(await fails(management!.id, "eu-west-1", new ListFiltersCommand({}))).toBe(false);
    expect(await fails(member!.id, "eu-west-1", new GetResourcesCommand({}))).toBe(false);
  });

  it("begins late, ends early, and hits a share of calls, the same at each run", async () => {
    const sandbox = await world([]);
    const { personalize } = clientsOf(sandbox);
    const pattern = async (rule: Omit<FaultRule, "kind">, calls: number): Promise<string> => {
      sandbox.setFaults([{ kind: "throttle", ...rule }]);
      let text = "";
      for (let i = 0; i < calls; i++) {
        text += await personalize.send(new ListFiltersCommand({})).then(
          () => ".",
          () => "x",
        );
      }
      return text;
    };
    expect(await pattern({ after: 2, times: 3 }, 8)).toBe("..xxx...");
    const share = await pattern({ share: 0.3 }, 60);
    expect(share.split("x").length - 1).toBeGreaterThan(8);
    expect(share.split("x").length - 1).toBeLessThan(30);
    expect(await pattern({ share: 0.3 }, 60)).toBe(share);
    expect(await pattern({ share: 0 }, 10)).toBe("..........");
  });

  it("limits the rate of each operation by itself, and lets calls through again with time", async () => {
    let time = 1_800_000_000_000;
    const sandbox = await start({
      ...ONE_TARGET,
      resources: 100,
      rate_limits: { "List*": { burst: 3, per_second: 2 }, GetResources: { burst: 1, per_second: 1 } },
      now: () => new Date(time),
    });
    const { personalize, tagging } = clientsOf(sandbox);
    const filters = () => personalize.send(new ListFiltersCommand({}));
    for (let i = 0; i < 3; i++) await filters();
    expect((await errorOf(filters())).name).toBe("ThrottlingException");
    await personalize.send(new ListSolutionsCommand({}));
    await tagging.send(new GetResourcesCommand({}));
    expect((await errorOf(tagging.send(new GetResourcesCommand({})))).name).toBe("ThrottledException");
    time += 500;
    await filters();
    expect((await errorOf(filters())).name).toBe("ThrottlingException");
  });

  it("takes its time when told to", async () => {
    const sandbox = await world([]);
    const { personalize } = clientsOf(sandbox);
    await personalize.send(new ListFiltersCommand({}));
    sandbox.setLatency(150);
    const began = performance.now();
    await personalize.send(new ListFiltersCommand({}));
    expect(performance.now() - began).toBeGreaterThanOrEqual(145);
  });
});
