import type { ResourceType } from "../inventory/resource-types.ts";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES } from "../inventory/resource-types.ts";
import type { SandboxAccount } from "./accounts.ts";
import { organizationAccounts } from "./accounts.ts";
import type { Place } from "./arn.ts";
import { parseArn } from "./arn.ts";
import { Bucket } from "./bucket.ts";
import { Seeding } from "./generate.ts";
import { apportion, fraction, hashText } from "./hash.ts";
import type { SandboxResource, Tags } from "./resource.ts";
import { NO_TAGS } from "./resource.ts";
import type { SandboxTagPolicy } from "./tag-policies.ts";
import { TagIndex } from "./tag-index.ts";
import { Trail } from "./trail.ts";

/** What makes a world: the same settings give the same one. */
export type WorldSettings = {
  readonly seed: number;
  readonly resources: number;
  readonly accounts: number;
  readonly suspended_accounts: number;
  readonly regions: readonly string[];
  readonly never_tagged_share: number | null;
  readonly unindexed_types: readonly ResourceType[];
  readonly index_lag_ms: number;
  /** How long after a call CloudTrail shows it; at once when absent. */
  readonly trail_lag_ms?: number;
  /** Lists of the organization have an empty page between any two. */
  readonly empty_pages?: boolean;
  /** Those of the seeded organization when absent. */
  readonly tag_policies?: readonly SandboxTagPolicy[];
  readonly now: () => Date;
};

/** A thing that takes no tags: a schema or a metric attribution. */
export type PlainObject = {
  readonly arn: string;
  readonly created_at: number;
  readonly details: Readonly<Record<string, unknown>>;
};

/** A change, as the journal keeps it. */
export type Change =
  | { readonly kind: "tags"; readonly arn: string; readonly tags: Record<string, string> }
  | { readonly kind: "created"; readonly resource: Omit<SandboxResource, "tags"> & { tags: Record<string, string> } }
  | { readonly kind: "deleted"; readonly arn: string }
  | {
      readonly kind: "updated";
      readonly arn: string;
      readonly status: string;
      readonly details: Record<string, unknown>;
      readonly updated_at: number;
    }
  | { readonly kind: "object_created"; readonly object: PlainObject }
  | { readonly kind: "object_deleted"; readonly arn: string };

/** One account in one region. */
export type Target = Place & {
  readonly bucket: (type: ResourceType) => Bucket;
  readonly index: TagIndex;
  readonly objects: Map<string, PlainObject>;
};

/** The whole state. Targets and types are made when first asked for, so a large world starts at once. */
export class World {
  readonly accounts: readonly SandboxAccount[];
  readonly settings: WorldSettings;
  /** What callers changed. */
  readonly trail: Trail;
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #targets = new Map<string, Target>();
  /** Called after each change. */
  onChange: (change: Change, at: Date) => void = () => undefined;

  constructor(settings: WorldSettings) {
    this.settings = settings;
    this.trail = new Trail(settings.trail_lag_ms ?? 0);
    this.accounts = organizationAccounts(settings.accounts, settings.suspended_accounts);
    this.#sizes = sizesOf(this.accounts, settings);
  }

  /** Any target; one that is not seeded is empty, as a region that nobody uses. */
  target(place: Place): Target {
    const key = `${place.account_id}/${place.region}`;
    let target = this.#targets.get(key);
    if (!target) {
      target = this.#open(place, this.#sizes.get(key) ?? 0);
      this.#targets.set(key, target);
    }
    return target;
  }

  /** Targets that have resources, seeded or created. */
  targets(): Target[] {
    for (const key of this.#sizes.keys()) {
      const [account_id = "", region = ""] = key.split("/");
      this.target({ account_id, region });
    }
    return [...this.#targets.values()];
  }

  find(arn: string): SandboxResource | undefined {
    const parts = parseArn(arn);
    return parts?.type ? this.target(parts.place).bucket(parts.type).get(arn) : undefined;
  }

  /** Replaces all tags, those of a stack included. */
  setTags(resource: SandboxResource, tags: Tags): void {
    const before = { ...resource };
    resource.tags = tags;
    resource.ever_tagged ||= tags.size > 0;
    this.target(resource).index.changed(resource.arn, before, resource);
    this.#tell({ kind: "tags", arn: resource.arn, tags: Object.fromEntries(tags) });
  }

  create(resource: SandboxResource): SandboxResource {
    const target = this.target(resource);
    const created = target.bucket(resource.type).add(resource);
    target.index.changed(created.arn, undefined, created);
    this.#tell({ kind: "created", resource: { ...resource, tags: Object.fromEntries(resource.tags) } });
    return created;
  }

  remove(resource: SandboxResource): void {
    const target = this.target(resource);
    target.bucket(resource.type).remove(resource);
    target.index.changed(resource.arn, resource, undefined);
    this.#tell({ kind: "deleted", arn: resource.arn });
  }

  /** Changes the status or the description; a description that names another parent moves the resource there. */
  update(resource: SandboxResource, status: string, details: Record<string, unknown>, updated_at: number): void {
    resource.status = status;
    resource.details = { ...resource.details, ...details };
    const { parent } = RESOURCE_TYPES[resource.type];
    const named = parent === null ? undefined : details[RESOURCE_TYPES[parent].arn_field];
    if (typeof named === "string") {
      resource.parent = named;
      this.target(resource).bucket(resource.type).moved();
    }
    resource.updated_at = updated_at;
    this.#tell({ kind: "updated", arn: resource.arn, status, details, updated_at });
  }

  createObject(place: Place, object: PlainObject): void {
    this.target(place).objects.set(object.arn, object);
    this.#tell({ kind: "object_created", object });
  }

  removeObject(place: Place, arn: string): void {
    this.target(place).objects.delete(arn);
    this.#tell({ kind: "object_deleted", arn });
  }

  /** Makes a change of the journal again. A change of something that is not there is passed over. */
  replay(change: Change): void {
    const arn = "arn" in change ? change.arn : "";
    const resource = this.find(arn);
    const place = parseArn("object" in change ? change.object.arn : arn)?.place;
    if (change.kind === "created") {
      this.create({ ...change.resource, tags: new Map(Object.entries(change.resource.tags)) });
    } else if (change.kind === "tags" && resource) this.setTags(resource, new Map(Object.entries(change.tags)));
    else if (change.kind === "deleted" && resource) this.remove(resource);
    else if (change.kind === "updated" && resource)
      this.update(resource, change.status, change.details, change.updated_at);
    else if (change.kind === "object_created" && place) this.createObject(place, change.object);
    else if (change.kind === "object_deleted" && place) this.removeObject(place, change.arn);
  }

  #tell(change: Change): void {
    this.onChange(change, this.settings.now());
  }

  #open(place: Place, size: number): Target {
    const { seed, never_tagged_share, unindexed_types, index_lag_ms, now } = this.settings;
    const seeding = new Seeding(place, seed, size, never_tagged_share);
    const buckets = new Map<ResourceType, Bucket>();
    const bucket = (type: ResourceType): Bucket => {
      let made = buckets.get(type);
      if (!made) {
        made = new Bucket(seeding.generate(type));
        buckets.set(type, made);
      }
      return made;
    };
    const objects = new Map(size > 0 ? seeding.schemas().map((schema) => [schema.arn, schema]) : []);
    return { ...place, bucket, index: new TagIndex(bucket, unindexed_types, index_lag_ms, now), objects };
  }
}

/** All resources that a filter selects, target by target and type by type. */
export function* resourcesOf(
  world: World,
  filter: { account_id?: string; region?: string; type?: ResourceType } = {},
): Generator<SandboxResource> {
  for (const target of world.targets()) {
    if (filter.account_id !== undefined && target.account_id !== filter.account_id) continue;
    if (filter.region !== undefined && target.region !== filter.region) continue;
    for (const type of RESOURCE_TYPE_NAMES) {
      if (filter.type === undefined || filter.type === type) yield* target.bucket(type).rows();
    }
  }
}

/** User tags over the tags that AWS put there, which stay. */
export function replaceUserTags(tags: Tags, user: Readonly<Record<string, string>>): Tags {
  const kept = [...tags].filter(([key]) => key.startsWith("aws:"));
  const all = [...kept, ...Object.entries(user)];
  return all.length === 0 ? NO_TAGS : new Map(all);
}

/** How many resources each target has: production accounts more than others, the first region the most. */
function sizesOf(accounts: readonly SandboxAccount[], settings: WorldSettings): Map<string, number> {
  const places = accounts
    .filter((account) => account.state === "ACTIVE")
    .flatMap((account) => settings.regions.map((region, index) => ({ account, region, index })));
  const weights = places.map(({ account, index }) => {
    const size = account.unit === "Production" ? 2 : account.unit === null ? 0.5 : 1;
    return (size * (0.8 + 0.4 * fraction(settings.seed, hashText(account.id)))) / (index + 1);
  });
  const sizes = apportion(settings.resources, weights);
  return new Map(places.map(({ account, region }, i) => [`${account.id}/${region}`, sizes[i] ?? 0]));
}
