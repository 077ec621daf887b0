import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DEFAULT_LIMITS, type RisingRate, type SteadyRate, TokenBucket } from "../../src/inventory/limiter.ts";

/** Takes tokens as fast as the bucket gives them; returns the times in milliseconds. */
function takeUntil(bucket: TokenBucket, from: number, until: number, answered?: (now: number) => void): number[] {
  const times: number[] = [];
  for (let now = from; now < until;) {
    const wait = bucket.take(now);
    if (wait === 0) {
      times.push(now);
      answered?.(now);
    } else {
      now += wait;
    }
  }
  return times;
}

/**
 * Asks for two minutes, `in_flight` calls at a time, each answered or throttled after `latency` by a service that has a token bucket of
 * its own. Throttled calls are made again at once.
 */
function useThrottled(
  limit: SteadyRate | RisingRate,
  service: SteadyRate,
  in_flight: number,
  latency: number,
): { answered: number; seconds: number } {
  const bucket = new TokenBucket(limit, 0);
  const under_way: number[] = [];
  let tokens = service.burst;
  let filled_at = 0;
  let answered = 0;
  let now = 0;
  for (; now < 120_000; now++) {
    while (under_way[0] !== undefined && under_way[0] + latency <= now) {
      const began_at = under_way.shift() ?? 0;
      tokens = Math.min(service.burst, tokens + ((now - filled_at) / 1000) * service.per_second);
      filled_at = now;
      if (tokens < 1) {
        bucket.throttled(now, began_at);
        continue;
      }
      tokens -= 1;
      answered += 1;
      bucket.succeeded(now);
    }
    while (under_way.length < in_flight && bucket.take(now) === 0) under_way.push(now);
  }
  return { answered, seconds: now / 1000 };
}

const perSecond = (times: number[], second: number) =>
  times.filter((time) => Math.floor(time / 1000) === second).length;

describe("the rate of calls", () => {
  test("the index: 150 at once, then 15 a second", () => {
    const times = takeUntil(new TokenBucket(DEFAULT_LIMITS.index, 0), 0, 10_000);
    expect(times.filter((time) => time === 0)).toHaveLength(150);
    expect(times.length).toBeGreaterThanOrEqual(150 + 15 * 9.9);
    expect(times.length).toBeLessThanOrEqual(150 + 150);
  });

  test("a list: 50 at once, then 10 a second", () => {
    const times = takeUntil(new TokenBucket(DEFAULT_LIMITS.list, 0), 0, 10_000);
    expect(times.filter((time) => time === 0)).toHaveLength(50);
    expect(times.length).toBeLessThanOrEqual(50 + 100);
  });

  test("readings of the service: 10 a second, doubling each second up to 40", () => {
    const bucket = new TokenBucket(DEFAULT_LIMITS.read, 0);
    const rates: number[] = [];
    takeUntil(bucket, 0, 6000, (now) => {
      bucket.succeeded(now);
      rates[Math.floor(now / 1000)] = bucket.rate;
    });
    expect(rates).toEqual([10, 20, 40, 40, 40, 40]);
  });

  test("the rate rises by what is answered, not by time alone", () => {
    const bucket = new TokenBucket(DEFAULT_LIMITS.read, 0);
    bucket.take(0);
    bucket.take(60_000);
    expect(bucket.rate).toBe(10);
  });

  test("a throttle halves the rate and ends the burst; seconds later it is again where it was, and then the burst is, too", () => {
    const bucket = new TokenBucket(DEFAULT_LIMITS.list, 0);
    bucket.take(0);
    bucket.throttled(10, 0);
    expect(bucket.rate).toBe(5);
    expect(bucket.take(10)).toBe(200);
    const rates: number[] = [];
    takeUntil(bucket, 10, 6010, (now) => {
      bucket.succeeded(now);
      rates[Math.floor((now - 10) / 1000)] = bucket.rate;
    });
    expect(rates[0]).toBeGreaterThan(6);
    expect(rates[0]).toBeLessThan(8);
    expect(rates[1]).toBeGreaterThan(9);
    expect(rates.slice(4)).toEqual([10, 10]);
    // Ten idle seconds gather as much as they did before.
    expect(takeUntil(bucket, 16_010, 16_011)).toHaveLength(50);
  });

  test("while an API throttles, idle seconds gather no burst", () => {
    const bucket = new TokenBucket(DEFAULT_LIMITS.index, 0);
    bucket.throttled(0, 0);
    expect(takeUntil(bucket, 60_000, 60_001)).toHaveLength(2);
  });

  test("near the rate that was throttled it rises gently, beyond it ever faster, and in no second more than twofold", () => {
    const bucket = new TokenBucket({ start: 20, most: 160 }, 0);
    bucket.throttled(0, 0);
    const rates: number[] = [];
    takeUntil(bucket, 0, 14_000, (now) => {
      bucket.succeeded(now);
      rates[Math.floor(now / 1000)] = bucket.rate;
    });
    const growth = rates.slice(1).map((rate, second) => rate / (rates[second] ?? 0));
    expect(Math.max(...growth)).toBeLessThanOrEqual(2.01);
    for (const second of [3, 4]) expect(rates[second]! / 20).toBeCloseTo(1, 1);
    expect(rates.at(-1)).toBe(160);
    expect(rates.findIndex((rate) => rate > 30)).toBeLessThan(9);
  });

  test("an API that gives five calls a second, and no more, is used to nine tenths or more of that", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(DEFAULT_LIMITS)),
        fc.integer({ min: 5, max: 20 }),
        fc.integer({ min: 1, max: 16 }),
        fc.integer({ min: 1, max: 200 }),
        (limit, burst, in_flight, latency) => {
          const { answered, seconds } = useThrottled(limit, { burst, per_second: 5 }, in_flight, latency);
          // As fast as its replies let it, if that is slower.
          const possible = Math.min(5, (in_flight * 1000) / latency);
          expect(answered / seconds).toBeGreaterThanOrEqual(0.9 * possible);
        },
      ),
    );
  });

  test("many calls that are throttled together halve the rate once", () => {
    const bucket = new TokenBucket(DEFAULT_LIMITS.index, 0);
    for (let call = 0; call < 16; call++) bucket.take(0);
    for (let call = 0; call < 16; call++) bucket.throttled(50 + call, 0);
    expect(bucket.rate).toBe(7.5);
    bucket.throttled(200, 100);
    expect(bucket.rate).toBe(3.75);
  });

  test("the rate never falls to nothing", () => {
    const bucket = new TokenBucket(DEFAULT_LIMITS.list, 0);
    for (let time = 1; time < 100; time++) bucket.throttled(time, time);
    expect(bucket.rate).toBe(2);
  });

  test("Retry-After is waited for", () => {
    const bucket = new TokenBucket(DEFAULT_LIMITS.list, 0);
    bucket.throttled(100, 50, 3000);
    expect(bucket.take(100)).toBe(3000);
    expect(bucket.take(3099)).toBe(1);
    expect(bucket.take(3100)).toBe(0);
  });

  test("no window of time ever sees more than a burst and what the rate allows", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 30 }),
        fc.array(fc.nat(200), { minLength: 1, maxLength: 200 }),
        (burst, per_second, steps) => {
          const bucket = new TokenBucket({ burst, per_second }, 0);
          const taken: number[] = [];
          let now = 0;
          for (const step of steps) {
            now += step;
            if (bucket.take(now) === 0) taken.push(now);
          }
          for (let first = 0; first < taken.length; first++) {
            for (let last = first; last < taken.length; last++) {
              const allowed = burst + ((taken[last]! - taken[first]!) / 1000) * per_second;
              expect(last - first + 1).toBeLessThanOrEqual(allowed + 1e-3);
            }
          }
        },
      ),
    );
  });

  test("who waits as told gets a token", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 97 }), (burst, per_second) => {
        const bucket = new TokenBucket({ burst, per_second }, 0);
        let now = 0;
        for (let call = 0; call < burst + 50; call++) {
          const wait = bucket.take(now);
          if (wait === 0) continue;
          now += wait;
          expect(bucket.take(now)).toBe(0);
        }
      }),
    );
  });

  test("seconds are counted by what was taken in them", () => {
    const times = takeUntil(new TokenBucket({ burst: 1, per_second: 4 }, 0), 0, 4000);
    expect([0, 1, 2, 3].map((second) => perSecond(times, second))).toEqual([4, 4, 4, 4]);
  });
});
