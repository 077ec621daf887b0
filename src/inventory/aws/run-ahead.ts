/** Items of a source that runs ahead of whoever takes them. */
export type RunningAhead<Out, End> = {
  /** In the order of the source. Throws what the source or the work on an item threw. To be iterated once. */
  readonly items: AsyncIterable<Out>;
  /** What the source returned; undefined before the iteration ended. */
  end(): End | undefined;
};

/**
 * Pulls items from `source` at once and begins the work on each as it comes, without waiting for the work before it; at most
 * `depth` are begun and not yet taken. `stop` is called when whoever iterates leaves, whether at the end or early.
 */
export function runAhead<In, Out, End>(
  source: AsyncGenerator<In, End, undefined>,
  depth: number,
  begin: (item: In) => Promise<Out>,
  stop: () => void,
): RunningAhead<Out, End> {
  const begun: Promise<Out>[] = [];
  let ended: { readonly value: End } | { readonly failure: unknown } | null = null;
  let changed = Promise.withResolvers<void>();
  const notify = () => {
    changed.resolve();
    changed = Promise.withResolvers<void>();
  };

  const pull = async () => {
    try {
      for (;;) {
        const next = await source.next();
        if (next.done) {
          ended = { value: next.value };
          return;
        }
        while (begun.length >= depth) await changed.promise;
        const work = begin(next.value);
        // Whoever takes it sees the failure; until then it must not count as unhandled.
        work.catch(() => {});
        begun.push(work);
        notify();
      }
    } catch (failure) {
      ended = { failure };
    } finally {
      notify();
    }
  };
  void pull();

  async function* take(): AsyncGenerator<Out, void, undefined> {
    try {
      for (;;) {
        const next = begun[0];
        if (next !== undefined) {
          const item = await next;
          void begun.shift();
          notify();
          yield item;
        } else if (ended === null) {
          await changed.promise;
        } else if ("failure" in ended) {
          throw ended.failure;
        } else {
          return;
        }
      }
    } finally {
      stop();
    }
  }
  return {
    items: take(),
    end: () => (ended !== null && begun.length === 0 && "value" in ended ? ended.value : undefined),
  };
}
