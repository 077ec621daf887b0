import { describe, expect, test } from "vitest";
import { runAhead } from "../../src/inventory/aws/run-ahead.ts";

const tick = () => new Promise((resolve) => setTimeout(resolve, 5));

async function* numbers(count: number, log: string[] = []): AsyncGenerator<number, string, undefined> {
  for (let number = 0; number < count; number++) {
    log.push(`pulled ${number}`);
    yield number;
  }
  return "end";
}

async function drain<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe("a source that runs ahead", () => {
  test("begins before anybody takes, and no further than its depth", async () => {
    const log: string[] = [];
    let begun = 0;
    const ahead = runAhead(
      numbers(10, log),
      3,
      async (number) => (begun++, number),
      () => {},
    );
    await tick();
    expect(begun).toBe(3);
    expect(log).toHaveLength(4);
    expect(ahead.end()).toBeUndefined();
    expect(await drain(ahead.items)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(ahead.end()).toBe("end");
  });

  test("keeps the order, however long the work on each takes", async () => {
    const waits = [20, 1, 10, 0];
    const work = async (number: number) => {
      await new Promise((resolve) => setTimeout(resolve, waits[number]));
      return number;
    };
    expect(await drain(runAhead(numbers(4), 4, work, () => {}).items)).toEqual([0, 1, 2, 3]);
  });

  test("throws what the work threw when its turn comes, and what came before is taken", async () => {
    const work = async (number: number) => {
      if (number === 1) throw new Error("work");
      return number;
    };
    const ahead = runAhead(numbers(3), 3, work, () => {});
    await tick();
    const taken: number[] = [];
    await expect(async () => {
      for await (const item of ahead.items) taken.push(item);
    }).rejects.toThrow("work");
    expect(taken).toEqual([0]);
    expect(ahead.end()).toBeUndefined();
  });

  test("throws what the source threw", async () => {
    // oxlint-disable-next-line require-yield
    async function* broken(): AsyncGenerator<number, string, undefined> {
      throw new Error("source");
    }
    await expect(
      drain(
        runAhead(
          broken(),
          3,
          async (number) => number,
          () => {},
        ).items,
      ),
    ).rejects.toThrow("source");
  });

  test("is stopped when whoever takes leaves early", async () => {
    let stopped = 0;
    const ahead = runAhead(
      numbers(10),
      2,
      async (number) => number,
      () => (stopped += 1),
    );
    for await (const item of ahead.items) if (item === 1) break;
    expect(stopped).toBe(1);
  });
});
