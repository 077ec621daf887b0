/** How much of a plan is tried first. */
export type Canary = {
  /** Share of the actions, 0..1 … */
  readonly share: number;
  /** … but at least so many; 0 with a share of 0: nothing is tried first. */
  readonly least: number;
};

/** What an action is spread by: each account, region and type is to be among those tried first. */
type Spread = { readonly account_id: string; readonly region: string; readonly type: string };

/** How many of a plan's actions are tried first. All of them: there is nothing to hold back. */
export function canarySize(actions: number, { share, least }: Canary): number {
  return Math.min(actions, Math.max(least, Math.ceil(share * actions)));
}

/** The actions to try first, one of each account, region and type in turn, and the rest in its order. */
export function splitCanary<Action extends Spread>(
  actions: readonly Action[],
  size: number,
): { readonly first: Action[]; readonly rest: Action[] } {
  const queues = [
    ...Map.groupBy(actions, ({ account_id, region, type }) => `${account_id}/${region}/${type}`).values(),
  ];
  const chosen = new Set<Action>();
  for (let turn = 0; chosen.size < size && turn < actions.length; turn++) {
    for (const queue of queues) {
      const action = queue[turn];
      if (action !== undefined && chosen.size < size) chosen.add(action);
    }
  }
  return { first: actions.filter((one) => chosen.has(one)), rest: actions.filter((one) => !chosen.has(one)) };
}

/** Why the rest is held back after some were tried; null: it is not. `share`: from which share of failures on. */
export function canaryVerdict(tried: number, failed: number, share: number): string | null {
  if (tried === 0 || failed === 0 || failed < share * tried) return null;
  return `of the first ${tried} actions, tried before all others, ${failed} failed`;
}
