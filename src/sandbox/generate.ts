import type { ResourceType } from "../inventory/resource-types.ts";
import { RESOURCE_TYPE_NAMES, RESOURCE_TYPES } from "../inventory/resource-types.ts";
import type { Place } from "./arn.ts";
import { arnOf } from "./arn.ts";
import { fraction, hashText, mix } from "./hash.ts";
import type { Counts } from "./mixture.ts";
import { countsOf, JOBS, STACK_MANAGED, STACK_MARKED, statusAt } from "./mixture.ts";
import type { Project } from "./project.ts";
import { projectOf } from "./project.ts";
import type { SandboxResource, Tags } from "./resource.ts";
import { NO_TAGS } from "./resource.ts";

/** The world ends here: fixed, so that the same seed gives the same dates on every day. */
const PRESENT = Date.UTC(2026, 9, 1);
const DAY = 86_400_000;

const DATASET_KINDS = ["INTERACTIONS", "ITEMS", "USERS", "ACTIONS", "ACTION_INTERACTIONS"] as const;
const MODELS = ["personalization", "similar-items", "ranking", "popularity"] as const;
const SOLUTION_RECIPES = [
  "aws-user-personalization-v2",
  "aws-similar-items",
  "aws-personalized-ranking-v2",
  "aws-popularity-count",
];
const RECOMMENDER_RECIPES = {
  ECOMMERCE: "aws-ecomm-recommended-for-you",
  VIDEO_ON_DEMAND: "aws-vod-top-picks",
} as const;

const AUTOMATIC = { trainingMode: "AUTOTRAIN", trainingType: "AUTOMATIC" } as const;
const MANUAL = { trainingMode: "FULL", trainingType: "MANUAL" } as const;
/** Of a campaign that always serves the latest version of its solution. */
const FOLLOWING = { campaignConfig: { syncWithLatestSolutionVersion: true } } as const;
const IMPORT_MODES = [{ importMode: "FULL" }, { importMode: "INCREMENTAL" }] as const;
const RECIPE_DETAILS = new Map(
  [...SOLUTION_RECIPES, ...Object.values(RECOMMENDER_RECIPES)].map((name) => [
    name,
    { recipeArn: `arn:aws:personalize:::recipe/${name}` },
  ]),
);

/** The questions on which the dice are thrown for a resource: each has its own sequence. */
const ROLLS = ["status", "updated", "tags", "never", "age", "training", "latest"] as const;
type Roll = (typeof ROLLS)[number];
const SALTS = Object.fromEntries(ROLLS.map((what) => [what, hashText(what)])) as Record<Roll, number>;
const TYPE_SALTS = Object.fromEntries(RESOURCE_TYPE_NAMES.map((type) => [type, hashText(type)])) as Counts;
const NO_DETAILS = {};

/** Name of the seeded schema of a kind of dataset. */
export function schemaName(kind: string): string {
  return `${kind.toLowerCase().replaceAll("_", "-")}-schema`;
}

/** What is special about one resource; the rest is the same for every type. */
type Draft = {
  readonly project: Project;
  readonly name: string;
  /** Parts of the ARN after the prefix; absent: the name. */
  readonly parts?: readonly string[];
  readonly parent: string | null;
  readonly created_at: number;
  readonly details?: Readonly<Record<string, unknown>>;
};

/** The seeded part of a target: any type of it can be made without the others. */
export class Seeding {
  readonly counts: Readonly<Counts>;
  readonly #place: Place;
  readonly #seed: number;
  readonly #never_tagged_share: number | null;
  readonly #projects = new Map<number, Project>();
  readonly #parents: Partial<Record<ResourceType, Map<number, string>>> = {};
  readonly #marked = new Map<string, Tags>();

  /** `size`: how many resources the target has. `never_tagged_share` null: as the habits of teams have it. */
  constructor(place: Place, seed: number, size: number, never_tagged_share: number | null) {
    this.#place = place;
    this.#seed = mix(seed, hashText(`${place.account_id}/${place.region}`));
    this.#never_tagged_share = never_tagged_share;
    this.counts = countsOf(size);
  }

  /** Makes all resources of a type, in the order in which AWS would have created them. */
  *generate(type: ResourceType): Generator<SandboxResource> {
    const draft = this.#drafts[type];
    for (let k = 0; k < this.counts[type]; k++) yield this.#finish(type, k, draft(k));
  }

  /** The schemas of the target: one for each kind of dataset. */
  schemas(): { arn: string; created_at: number; details: Record<string, unknown> }[] {
    return DATASET_KINDS.map((kind) => {
      const name = schemaName(kind);
      const schema = JSON.stringify({
        type: "record",
        name: kind,
        namespace: "com.amazonaws.personalize.schema",
        fields: [],
      });
      return { arn: arnOf(this.#place, "schema", [name]), created_at: PRESENT - 800 * DAY, details: { name, schema } };
    });
  }

  #finish(type: ResourceType, k: number, draft: Draft): SandboxResource {
    const row = RESOURCE_TYPES[type];
    const stack = STACK_MANAGED.has(type) ? draft.project.stack : null;
    const status = statusAt(type, this.#roll(type, "status", k));
    const [tags, emptied] = this.#tagsFor(type, k, draft);
    return {
      arn: arnOf(this.#place, row.arn_prefix, draft.parts ?? [draft.name]),
      account_id: this.#place.account_id,
      region: this.#place.region,
      type,
      name: draft.name,
      parent: draft.parent,
      status,
      created_at: draft.created_at,
      updated_at: draft.created_at + Math.floor(this.#roll(type, "updated", k) * 3 * 3_600_000),
      tags,
      ever_tagged: tags.size > 0 || emptied,
      stack,
      details: draft.details ?? NO_DETAILS,
      seq: -1,
    };
  }

  /** The tags, and whether it had some that were taken away. */
  #tagsFor(type: ResourceType, k: number, { project, details }: Draft): [Tags, boolean] {
    if (this.#never_tagged_share !== null) {
      if (this.#roll(type, "never", k) < this.#never_tagged_share) return [NO_TAGS, false];
      return [this.#mark(type, project, project.tags.size > 0 ? project.tags : project.good_tags), false];
    }
    const roll = this.#roll(type, "tags", k);
    if (details === AUTOMATIC || roll < (JOBS.has(type) ? 0.15 : 0.03))
      return [this.#mark(type, project, NO_TAGS), false];
    if (roll > 0.99) return [this.#mark(type, project, NO_TAGS), true];
    if (roll > 0.97) return [this.#mark(type, project, project.leftovers), false];
    if (roll > 0.95) return [this.#mark(type, project, project.incomplete), false];
    return [this.#mark(type, project, project.tags), false];
  }

  /** Adds the marks of the stack, once for each distinct set: sets are shared. */
  #mark(type: ResourceType, project: Project, tags: Tags): Tags {
    if (!STACK_MARKED.has(type) || project.stack_tags.size === 0) return tags;
    const key = JSON.stringify([...project.stack_tags, ...tags]);
    const known = this.#marked.get(key);
    if (known) return known;
    const marked = new Map([...project.stack_tags, ...tags]);
    this.#marked.set(key, marked);
    return marked;
  }

  #roll(type: ResourceType, what: Roll, k: number): number {
    return fraction((this.#seed ^ SALTS[what] ^ TYPE_SALTS[type]) >>> 0, k);
  }

  #project(k: number): Project {
    const index = k % this.counts["dataset-group"];
    let project = this.#projects.get(index);
    if (!project) {
      project = projectOf(this.#seed, index);
      this.#projects.set(index, project);
    }
    return project;
  }

  #arn(type: ResourceType, ...parts: string[]): string {
    return arnOf(this.#place, RESOURCE_TYPES[type].arn_prefix, parts);
  }

  /** Long-lived things are between a month and two years old. */
  #age(type: ResourceType, k: number): number {
    return PRESENT - Math.floor((30 + this.#roll(type, "age", k) * 700) * DAY);
  }

  /** The k-th of a history that runs weekly, oldest first, spread over the week by its parent. */
  #weekly(type: ResourceType, k: number, parents: number): number {
    const rounds = Math.ceil(this.counts[type] / parents);
    const round = Math.floor(k / parents);
    const offset = fraction(this.#seed, k % parents);
    return PRESENT - Math.floor((rounds - round + offset - 0.85) * 7 * DAY);
  }

  /** An ARN that many children name, made once. */
  #parentArn(type: ResourceType, k: number, make: () => string): string {
    const known = (this.#parents[type] ??= new Map());
    let arn = known.get(k);
    if (arn === undefined) {
      arn = make();
      known.set(k, arn);
    }
    return arn;
  }

  #group(k: number): string {
    const index = k % this.counts["dataset-group"];
    return this.#parentArn("dataset-group", index, () => this.#arn("dataset-group", this.#project(index).name));
  }

  #datasetKind(k: number): string {
    return DATASET_KINDS[Math.floor(k / this.counts["dataset-group"]) % DATASET_KINDS.length] ?? DATASET_KINDS[0];
  }

  #solutionName(k: number): string {
    const round = Math.floor(k / this.counts["dataset-group"]);
    const again = Math.floor(round / MODELS.length);
    return `${this.#project(k).name}-${MODELS[round % MODELS.length] ?? ""}${again === 0 ? "" : `-${again + 1}`}`;
  }

  #versionArn(k: number): string {
    const name = (): string => this.#solutionName(k % this.counts.solution);
    return this.#parentArn("solution-version", k, () => this.#arn("solution-version", name(), hexId(this.#seed, k)));
  }

  #ofDataset(type: ResourceType, k: number, what: string): Draft {
    const dataset = k % this.counts.dataset;
    const project = this.#project(dataset);
    const created_at = this.#weekly(type, k, this.counts.dataset);
    const kind = this.#datasetKind(dataset);
    const name = `${project.name}-${kind.toLowerCase().replaceAll("_", "-")}-${what}-${dateOf(created_at)}`;
    const parent = this.#parentArn("dataset", dataset, () => this.#arn("dataset", project.name, kind));
    return { project, name, parent, created_at };
  }

  #ofVersion(type: ResourceType, k: number, what: string): Draft {
    const { solution, "solution-version": versions } = this.counts;
    // Only as many versions as make whole rounds over the solutions, so that (solution, round) names a job once.
    const span = Math.min(solution, versions);
    const version = k % (Math.floor(versions / span) * span);
    const round = Math.floor(k / span);
    const created_at = this.#weekly(type, k, span);
    const name = `${this.#solutionName(version % solution)}-${what}-${round + 1}`;
    return { project: this.#project(version % solution), name, parent: this.#versionArn(version), created_at };
  }

  /** A long-lived child of a dataset group, numbered when the group has several. */
  #ofGroup(type: ResourceType, k: number, what: readonly string[]): Draft {
    const project = this.#project(k);
    const round = Math.floor(k / this.counts["dataset-group"]);
    const again = Math.floor(round / what.length);
    const name = `${project.name}-${what[round % what.length] ?? ""}${again === 0 ? "" : `-${again + 1}`}`;
    return { project, name, parent: this.#group(k), created_at: this.#age(type, k) };
  }

  readonly #drafts: Record<ResourceType, (k: number) => Draft> = {
    "dataset-group": (k) => {
      const project = this.#project(k);
      const details = project.domain ? { domain: project.domain } : {};
      return { project, name: project.name, parent: null, created_at: this.#age("dataset-group", k), details };
    },
    dataset: (k) => {
      const project = this.#project(k);
      const kind = this.#datasetKind(k);
      return {
        project,
        name: `${project.name}-${kind.toLowerCase()}`,
        parts: [project.name, kind],
        parent: this.#group(k),
        created_at: this.#age("dataset", k),
      };
    },
    "dataset-import-job": (k) => ({
      ...this.#ofDataset("dataset-import-job", k, "import"),
      details: IMPORT_MODES[mix(this.#seed, k) % 4 === 0 ? 1 : 0],
    }),
    "dataset-export-job": (k) => this.#ofDataset("dataset-export-job", k, "export"),
    "data-deletion-job": (k) => {
      const project = this.#project(k);
      const created_at = this.#weekly("data-deletion-job", k, this.counts["dataset-group"]);
      return { project, name: `${project.name}-erasure-${dateOf(created_at)}`, parent: this.#group(k), created_at };
    },
    "event-tracker": (k) => ({
      ...this.#ofGroup("event-tracker", k, ["tracker"]),
      parts: [hexId(this.#seed ^ TYPE_SALTS["event-tracker"], k)],
    }),
    filter: (k) =>
      this.#ofGroup("filter", k, ["exclude-purchased", "in-stock", "by-category", "adults-only", "recent"]),
    recommender: (k) => {
      const draft = this.#ofGroup("recommender", k, ["for-you", "popular"]);
      const details = RECIPE_DETAILS.get(RECOMMENDER_RECIPES[draft.project.domain ?? "ECOMMERCE"]) ?? {};
      return { ...draft, details };
    },
    solution: (k) => {
      const recipe = SOLUTION_RECIPES[Math.floor(k / this.counts["dataset-group"]) % SOLUTION_RECIPES.length] ?? "";
      return {
        project: this.#project(k),
        name: this.#solutionName(k),
        parent: this.#group(k),
        created_at: this.#age("solution", k),
        details: RECIPE_DETAILS.get(recipe) ?? {},
      };
    },
    "solution-version": (k) => {
      const solution = k % this.counts.solution;
      const name = this.#solutionName(solution);
      return {
        project: this.#project(solution),
        name,
        parts: [name, hexId(this.#seed, k)],
        parent: this.#parentArn("solution", solution, () => this.#arn("solution", name)),
        created_at: this.#weekly("solution-version", k, this.counts.solution),
        details: this.#roll("solution-version", "training", k) < 0.6 ? AUTOMATIC : MANUAL,
      };
    },
    campaign: (k) => {
      const span = Math.min(this.counts.solution, this.counts["solution-version"]);
      const solution = k % span;
      const round = Math.floor(k / span);
      const name = `${this.#solutionName(solution)}-live${round === 0 ? "" : `-${round + 1}`}`;
      const latest = this.#roll("campaign", "latest", k) < 0.15;
      return {
        project: this.#project(solution),
        name,
        parent: latest ? this.#arn("solution", this.#solutionName(solution), "$LATEST") : this.#versionArn(solution),
        created_at: this.#age("campaign", k),
        details: latest ? FOLLOWING : NO_DETAILS,
      };
    },
    "batch-inference-job": (k) => this.#ofVersion("batch-inference-job", k, "batch"),
    "batch-segment-job": (k) => this.#ofVersion("batch-segment-job", k, "segments"),
  };
}

const days = new Map<number, string>();

/** `20260131`, kept for each day: a large world asks often. */
function dateOf(time: number): string {
  const day = Math.floor(time / DAY);
  let text = days.get(day);
  if (text === undefined) {
    text = new Date(time).toISOString().slice(0, 10).replaceAll("-", "");
    days.set(day, text);
  }
  return text;
}

function hexId(seed: number, k: number): string {
  return mix(seed, k).toString(16).padStart(8, "0");
}
