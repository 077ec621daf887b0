import type { ResourceType } from "../inventory/resource-types.ts";
import { RESOURCE_TYPES } from "../inventory/resource-types.ts";
import type { Place } from "./arn.ts";
import { arnOf } from "./arn.ts";
import { hashText, mix } from "./hash.ts";
import type { SandboxResource, Tags } from "./resource.ts";
import type { World } from "./world.ts";

/** What a maker of a resource decides. */
type Choice = {
  readonly type: ResourceType;
  readonly name: string;
  readonly parent: string | null;
  readonly tags: Tags;
  readonly details: Readonly<Record<string, unknown>>;
};

/** A finished resource: the sandbox does not let anyone wait for it to become active. */
export function newResource(world: World, place: Place, choice: Choice, parts: readonly string[]): SandboxResource {
  const at = world.settings.now().getTime();
  return {
    ...choice,
    account_id: place.account_id,
    region: place.region,
    arn: arnOf(place, RESOURCE_TYPES[choice.type].arn_prefix, parts),
    status: choice.type === "data-deletion-job" ? "COMPLETED" : "ACTIVE",
    created_at: at,
    updated_at: at,
    ever_tagged: choice.tags.size > 0,
    stack: null,
    seq: -1,
  };
}

/** An identifier of eight characters that the type has not used in the target. */
export function freshId(world: World, place: Place, type: ResourceType): string {
  const bucket = world.target(place).bucket(type);
  return mix(hashText(`${place.account_id}/${place.region}/${type}/new`), bucket.created)
    .toString(16)
    .padStart(8, "0");
}

/** A resource from the outside, with the parent that its name implies, or else the first that could be one. */
export function placeNew(world: World, place: Place, type: ResourceType, name: string, tags: Tags): SandboxResource {
  const parent_type = RESOURCE_TYPES[type].parent;
  const first = parent_type === null ? null : (world.target(place).bucket(parent_type).rows()[0]?.arn ?? null);
  const choice = { type, name, parent: first, tags, details: {} };
  if (type === "event-tracker") return newResource(world, place, choice, [freshId(world, place, type)]);
  if (type === "solution-version") {
    const parent = arnOf(place, "solution", [name]);
    return newResource(world, place, { ...choice, parent }, [name, freshId(world, place, type)]);
  }
  if (type === "dataset") {
    const [group = name, kind = "INTERACTIONS"] = name.split("/");
    return newResource(world, place, { ...choice, parent: arnOf(place, "dataset-group", [group]) }, [group, kind]);
  }
  return newResource(world, place, choice, [name]);
}
