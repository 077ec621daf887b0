import { fraction, hashText, pick } from "./hash.ts";
import type { Tags } from "./resource.ts";
import { NO_TAGS } from "./resource.ts";

/** A dataset group with all that hangs on it: who runs it, and how that team tags. */
export type Project = {
  readonly name: string;
  readonly domain: "ECOMMERCE" | "VIDEO_ON_DEMAND" | null;
  readonly stack: string | null;
  /** Tags that the team puts on what it makes. */
  readonly tags: Tags;
  /** What a team with good habits would put on it. */
  readonly good_tags: Tags;
  /** `tags` with leftovers of a trial. */
  readonly leftovers: Tags;
  /** `tags` without the last. */
  readonly incomplete: Tags;
  /** The tags a CloudFormation stack adds; empty without a stack. */
  readonly stack_tags: Tags;
};

const PRODUCTS = [
  ["storefront-recs", "ECOMMERCE"],
  ["video-home", "VIDEO_ON_DEMAND"],
  ["email-offers", null],
  ["basket-upsell", "ECOMMERCE"],
  ["search-rerank", null],
  ["news-feed", null],
  ["continue-watching", "VIDEO_ON_DEMAND"],
  ["loyalty-rewards", "ECOMMERCE"],
  ["push-timing", null],
  ["similar-items", "ECOMMERCE"],
  ["artist-radio", "VIDEO_ON_DEMAND"],
  ["marketplace-home", "ECOMMERCE"],
] as const;

const TEAMS = [
  ["recs-platform", "CC-1001"],
  ["storefront", "CC-1040"],
  ["streaming", "CC-2107"],
  ["growth-marketing", "CC-2210"],
  ["search", "CC-3300"],
  ["data-science", "CC-4012"],
] as const;

const ENVIRONMENTS = ["prod", "prod", "staging", "dev"] as const;

type Facts = {
  readonly owner: string;
  readonly center: string;
  readonly environment: string;
  readonly product: string;
};

/** How teams tag: the share of projects of each habit, and the tags it leaves. */
const HABITS = {
  good: { share: 0.58, tags: (f: Facts) => tagsOf(f, {}) },
  kebab_keys: {
    share: 0.07,
    tags: (f: Facts) =>
      new Map([
        ["cost-center", f.center],
        ["environment", f.environment],
        ["owner", f.owner],
      ]),
  },
  lower_keys: {
    share: 0.06,
    tags: (f: Facts) =>
      new Map([
        ["costcenter", f.center],
        ["Environment", f.environment],
        ["Owner", f.owner],
        ["Project", f.product],
      ]),
  },
  long_values: {
    share: 0.07,
    tags: (f: Facts) => tagsOf(f, { Environment: LONG_NAMES[f.environment] ?? f.environment }),
  },
  typos: {
    share: 0.04,
    tags: (f: Facts) =>
      new Map([
        ["CostCentre", f.center],
        ["Enviroment", f.environment],
        ["Owner", f.owner],
      ]),
  },
  old_scheme: {
    share: 0.06,
    tags: (f: Facts) =>
      new Map([
        ["CostCenter", f.center.slice(3)],
        ["env", f.environment],
        ["team", f.owner.slice(0, f.owner.indexOf("@"))],
      ]),
  },
  no_owner: {
    share: 0.05,
    tags: (f: Facts) =>
      new Map([
        ["CostCenter", f.center],
        ["Environment", f.environment],
        ["Project", f.product],
      ]),
  },
  shared_owner: { share: 0.03, tags: (f: Facts) => tagsOf(f, { Owner: "root@example.com" }) },
  untagged: { share: 0.04, tags: () => NO_TAGS },
} as const;

/** Name of a habit. */
type Habit = keyof typeof HABITS;

const HABIT_NAMES = Object.keys(HABITS) as Habit[];
const LONG_NAMES: Record<string, string> = { prod: "Production", staging: "stage", dev: "Development" };

function tagsOf(facts: Facts, changes: Record<string, string>): Tags {
  return new Map(
    Object.entries({
      CostCenter: facts.center,
      Environment: facts.environment,
      Owner: facts.owner,
      Project: facts.product,
      ...changes,
    }),
  );
}

/** The project with a number in a target. `seed` is the target's. */
export function projectOf(seed: number, index: number): Project {
  const roll = (what: string): number => fraction((seed ^ hashText(what)) >>> 0, index);
  const offset = seed % PRODUCTS.length;
  const [product, domain] = PRODUCTS[(index + offset) % PRODUCTS.length] ?? PRODUCTS[0];
  const [team, center] = pick<(typeof TEAMS)[number]>(TEAMS, roll("team"));
  const environment = pick(ENVIRONMENTS, roll("environment"));
  const round = Math.floor(index / PRODUCTS.length);
  const name = `${product}-${environment}${round === 0 ? "" : `-${round + 1}`}`;
  const habit = habitAt(roll("habit"));
  const facts = { owner: `${team}@example.com`, center, environment, product };
  const tags = HABITS[habit].tags(facts);
  const stack = roll("stack") < 0.2 ? `${name}-stack` : null;
  return {
    name,
    domain,
    stack,
    tags,
    good_tags: tagsOf(facts, {}),
    leftovers: new Map([...tags, ["temp:created-by", "notebook"], ["tmp-run", String(index)]]),
    incomplete: new Map([...tags].slice(0, -1)),
    stack_tags: stack === null ? NO_TAGS : new Map([["aws:cloudformation:stack-name", stack]]),
  };
}

function habitAt(roll: number): Habit {
  let sum = 0;
  for (const name of HABIT_NAMES) {
    sum += HABITS[name].share;
    if (roll < sum) return name;
  }
  return "good";
}
