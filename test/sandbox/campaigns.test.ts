import {
  DescribeCampaignCommand,
  ListCampaignsCommand,
  type PersonalizeClient,
  UpdateCampaignCommand,
} from "@aws-sdk/client-personalize";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/server.ts";
import { clientsOf, errorOf, ONE_TARGET, sandboxes } from "./sdk.ts";

const start = sandboxes();

const campaignsOf = async (personalize: PersonalizeClient, solutionArn: string) =>
  (await personalize.send(new ListCampaignsCommand({ solutionArn }))).campaigns!.map((one) => one.campaignArn);
const describeCampaign = async (personalize: PersonalizeClient, campaignArn: string) =>
  (await personalize.send(new DescribeCampaignCommand({ campaignArn }))).campaign!;
const solutionOf = (version: string) => version.slice(0, version.lastIndexOf("/"));

/** A campaign on a version, and a version of another solution. */
function campaignToMove(sandbox: Sandbox) {
  const campaign = [...sandbox.resources({ type: "campaign" })].find(
    ({ parent, status }) => status === "ACTIVE" && !parent!.endsWith("/$LATEST"),
  )!;
  const other = [...sandbox.resources({ type: "solution-version" })].find(
    ({ parent, status }) => status === "ACTIVE" && parent !== solutionOf(campaign.parent!),
  )!;
  return { campaign, other };
}

describe("campaigns of the sandbox", () => {
  it("serve one version of a solution, or follow the latest one and say so", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 1000 });
    const { personalize } = clientsOf(sandbox);
    const seen = { following: 0, fixed: 0 };
    for (const { arn, parent } of sandbox.resources({ type: "campaign" })) {
      const { solutionVersionArn, campaignConfig, latestCampaignUpdate } = await describeCampaign(personalize, arn);
      expect(solutionVersionArn).toBe(parent);
      expect(latestCampaignUpdate).toBeUndefined();
      const follows = campaignConfig?.syncWithLatestSolutionVersion === true;
      expect(follows).toBe(parent!.endsWith("/$LATEST"));
      seen[follows ? "following" : "fixed"]++;
    }
    expect(seen.following).toBeGreaterThan(0);
    expect(seen.fixed).toBeGreaterThan(0);
  });

  it("move to another version by UpdateCampaign, with the time and a summary of the update", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 1000 });
    const { personalize } = clientsOf(sandbox);
    const { campaign, other } = campaignToMove(sandbox);
    const before = await describeCampaign(personalize, campaign.arn);
    await personalize.send(new UpdateCampaignCommand({ campaignArn: campaign.arn, solutionVersionArn: other.arn }));

    const after = await describeCampaign(personalize, campaign.arn);
    expect(after).toMatchObject({
      solutionVersionArn: other.arn,
      minProvisionedTPS: before.minProvisionedTPS,
      latestCampaignUpdate: {
        solutionVersionArn: other.arn,
        minProvisionedTPS: before.minProvisionedTPS,
        status: "ACTIVE",
        lastUpdatedDateTime: after.lastUpdatedDateTime,
      },
    });
    expect(Object.keys(after.latestCampaignUpdate!)).not.toContain("name");
    expect(after.lastUpdatedDateTime!.getTime()).toBeGreaterThan(before.lastUpdatedDateTime!.getTime());
    expect(after.creationDateTime).toEqual(before.creationDateTime);
    expect(await campaignsOf(personalize, solutionOf(campaign.parent!))).not.toContain(campaign.arn);
    expect(await campaignsOf(personalize, other.parent!)).toContain(campaign.arn);
  });

  it("can be told to follow the latest version, and stay where they are when only their settings change", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 1000 });
    const { personalize } = clientsOf(sandbox);
    const { arn: campaignArn, parent } = campaignToMove(sandbox).campaign;
    await personalize.send(new UpdateCampaignCommand({ campaignArn, minProvisionedTPS: 7 }));
    expect(await describeCampaign(personalize, campaignArn)).toMatchObject({
      solutionVersionArn: parent,
      minProvisionedTPS: 7,
      latestCampaignUpdate: { solutionVersionArn: parent, minProvisionedTPS: 7 },
    });
    const latest = `${solutionOf(parent!)}/$LATEST`;
    const campaignConfig = { syncWithLatestSolutionVersion: true };
    await personalize.send(new UpdateCampaignCommand({ campaignArn, solutionVersionArn: latest, campaignConfig }));
    expect(await describeCampaign(personalize, campaignArn)).toMatchObject({
      solutionVersionArn: latest,
      campaignConfig,
    });
    expect(await campaignsOf(personalize, solutionOf(parent!))).toContain(campaignArn);
  });

  it("do not move to a version that does not exist", async () => {
    const sandbox = await start({ ...ONE_TARGET, resources: 1000 });
    const { personalize } = clientsOf(sandbox);
    const { campaign, other } = campaignToMove(sandbox);
    const update = (solutionVersionArn: string) =>
      errorOf(personalize.send(new UpdateCampaignCommand({ campaignArn: campaign.arn, solutionVersionArn })));
    expect((await update(`${other.parent}/0badc0de`)).name).toBe("ResourceNotFoundException");
    expect((await update(campaign.arn)).name).toBe("InvalidInputException");
    expect((await describeCampaign(personalize, campaign.arn)).solutionVersionArn).toBe(campaign.parent);
  });

  it("are where they were moved to after a new start", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tagwarden-campaigns-"));
    const options = { ...ONE_TARGET, resources: 1000, state_file: join(folder, "state.jsonl") };
    try {
      const first = await startSandbox(options);
      const { campaign, other } = campaignToMove(first);
      const { personalize } = clientsOf(first);
      await personalize.send(new UpdateCampaignCommand({ campaignArn: campaign.arn, solutionVersionArn: other.arn }));
      const moved = await describeCampaign(personalize, campaign.arn);
      await first.close();
      const again = clientsOf(await start(options)).personalize;
      expect(moved.solutionVersionArn).toBe(other.arn);
      expect(await describeCampaign(again, campaign.arn)).toEqual(moved);
      expect(await campaignsOf(again, other.parent!)).toContain(campaign.arn);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
