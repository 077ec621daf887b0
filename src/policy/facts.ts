import type { Ancestor } from "../inventory/lineage.ts";
import { isReserved } from "../tags/limits.ts";
import { NO_TAGS, type Tags } from "../tags/tags.ts";
import { NOT_LOOKED_UP } from "../inventory/surroundings.ts";
import type { Subject } from "./subject.ts";

/** Hears of a key that was looked at, and of which resource above the judged one; null: of the judged one itself. */
export type Look = (arn: string | null, key: string) => void;

/** Tags as a condition sees them: a key that is absent is null, which compares as false, and is never an error. */
export class TagFacts extends Map<string, string> {
  /** Hears of every key that is asked for; `looked_through`: and of all that are there, where a loop goes through them. */
  look: ((key: string) => void) | undefined;
  looked_through = false;

  override has(key: string): boolean {
    this.look?.(key);
    return super.has(key);
  }

  override keys(): MapIterator<string> {
    if (this.looked_through) for (const key of super.keys()) this.look?.(key);
    return super.keys();
  }

  override get(key: string): string {
    this.look?.(key);
    // The condition engine takes undefined for an error and null for a value; the type of `Map` knows neither.
    return super.get(key) ?? (null as unknown as string);
  }
}
// The engine knows a map by its constructor.
Object.defineProperty(TagFacts.prototype, "constructor", { value: Map });

/** A resource above the judged one, or none at all: then everything about it is null. */
export class AncestorFacts {
  readonly arn: string | null;
  readonly type: string | null;
  readonly name: string | null;
  readonly tags: TagFacts;

  constructor(ancestor: Ancestor | undefined, look: Look | undefined) {
    this.arn = ancestor?.arn ?? null;
    this.type = ancestor?.type ?? null;
    this.name = ancestor?.name ?? null;
    this.tags = tagFacts(ancestor?.tags ?? NO_TAGS);
    if (!ancestor || !look) return;
    this.tags.look = (key) => look(ancestor.arn, key);
    this.tags.looked_through = true;
  }
}

/** Ancestors by type: those that have children. */
export class LineageFacts {
  readonly dataset_group: AncestorFacts;
  readonly dataset: AncestorFacts;
  readonly solution: AncestorFacts;
  readonly solution_version: AncestorFacts;

  constructor(ancestors: readonly Ancestor[], look: Look | undefined) {
    const nearest = (type: string) =>
      new AncestorFacts(
        ancestors.find((one) => one.type === type),
        look,
      );
    this.dataset_group = nearest("dataset-group");
    this.dataset = nearest("dataset");
    this.solution = nearest("solution");
    this.solution_version = nearest("solution-version");
  }
}

export class AccountFacts {
  readonly id: string;
  readonly name: string | null;
  readonly tags: TagFacts;

  constructor(id: string, name: string | null, tags: Tags) {
    this.id = id;
    this.name = name;
    this.tags = tagFacts(tags);
  }
}

/** Fields of a summary that conditions know by name: all that the List operations of the service model return, spelt as our words are. */
export const SUMMARY_FIELDS = {
  domain: "domain",
  dataset_type: "datasetType",
  import_mode: "importMode",
  failure_reason: "failureReason",
  dataset_group_arn: "datasetGroupArn",
  recipe_arn: "recipeArn",
  training_mode: "trainingMode",
  training_type: "trainingType",
  solution_version_arn: "solutionVersionArn",
  batch_inference_job_mode: "batchInferenceJobMode",
} as const;

/** The judged resource. What stands above it is made only when a condition asks. */
export class ResourceFacts {
  readonly arn: string;
  readonly type: string;
  readonly name: string;
  readonly status: string;
  readonly account_id: string;
  readonly region: string;
  readonly created_at: Date | null;
  readonly updated_at: Date | null;
  readonly #subject: Subject;
  readonly #look: Look | undefined;
  #parent: AncestorFacts | undefined;
  #lineage: LineageFacts | undefined;
  #summary: Map<string, unknown> | undefined;

  constructor(subject: Subject, look: Look | undefined) {
    const { arn, type, name, status, account_id, region, created_at, updated_at } = subject.resource;
    this.arn = arn;
    this.type = type;
    this.name = name;
    this.status = status;
    this.account_id = account_id;
    this.region = region;
    this.created_at = created_at;
    this.updated_at = updated_at;
    this.#subject = subject;
    this.#look = look;
  }

  get parent(): AncestorFacts {
    return (this.#parent ??= new AncestorFacts(this.#ancestors[0], this.#look));
  }

  get lineage(): LineageFacts {
    return (this.#lineage ??= new LineageFacts(this.#ancestors, this.#look));
  }

  /** The summary as AWS names its fields, for those that have no name of ours. */
  get summary(): Map<string, unknown> {
    return (this.#summary ??= new TagFacts(Object.entries(this.#subject.resource.summary) as [string, string][]));
  }

  /** A field of the summary; null where this type has none. */
  summaryField(field: string): string | null {
    const value = this.#subject.resource.summary[field];
    return value === undefined ? null : String(value);
  }

  get #ancestors(): readonly Ancestor[] {
    return (this.#subject.around ?? NOT_LOOKED_UP).lineage.ancestors;
  }
}
for (const [name, field] of Object.entries(SUMMARY_FIELDS)) {
  Object.defineProperty(ResourceFacts.prototype, name, {
    get(this: ResourceFacts) {
      return this.summaryField(field);
    },
  });
}

/** Everything that a condition may look at, each part made when one asks for it. */
export class Facts {
  readonly now: Date;
  readonly #subject: Subject;
  readonly #look: Look | undefined;
  #resource: ResourceFacts | undefined;
  #tags: TagFacts | undefined;
  #account: AccountFacts | undefined;

  /** `look`: hears of every tag of this resource, or of one above it, that an expression asks for. */
  constructor(subject: Subject, look?: Look) {
    this.now = subject.now;
    this.#subject = subject;
    this.#look = look;
  }

  get resource(): ResourceFacts {
    return (this.#resource ??= new ResourceFacts(this.#subject, this.#look));
  }

  get tags(): TagFacts {
    return (this.#tags ??= this.#ownTags());
  }

  get account(): AccountFacts {
    return (this.#account ??= accountFacts(this.#subject));
  }

  #ownTags(): TagFacts {
    const facts = tagFacts(this.#subject.tags);
    const look = this.#look;
    if (look) facts.look = (key) => look(null, key);
    return facts;
  }
}

function accountFacts({ resource, around = NOT_LOOKED_UP }: Subject): AccountFacts {
  const { account } = around;
  if (!account.known) return new AccountFacts(resource.account_id, null, NO_TAGS);
  return new AccountFacts(resource.account_id, account.name, account.tags);
}

function tagFacts(tags: Tags): TagFacts {
  const facts = new TagFacts();
  for (const key of Object.keys(tags)) if (!isReserved(key)) facts.set(key, tags[key] ?? "");
  return facts;
}
