import { describe, expect, test } from "vitest";
import { CallCounts } from "../../src/inventory/aws/call-counts.ts";
import { Gate, type GateCall } from "../../src/inventory/aws/gate.ts";

const named = (name: string, more: object = {}) => Object.assign(new Error(name), { name, ...more });

function open({ patience_ms = 400, timeout_ms = 200, burst = 1000, per_second = 1000, in_flight = 16 } = {}) {
  const counts = new CallCounts();
  const gate = new Gate({ burst, per_second }, in_flight, { patience_ms, timeout_ms, counts });
  const call = <T>(run: (signal: AbortSignal) => Promise<T>, more: Partial<GateCall<T>> = {}) =>
    gate.call({ operation: "Op", run, retry: true, renew: async () => false, signal: undefined, ...more });
  return { counts, call };
}

/** Fails with these errors in turn, then answers. */
function failing(...errors: Error[]) {
  const left = [...errors];
  return async () => {
    const error = left.shift();
    if (error) throw error;
    return "answer";
  };
}

describe("a call", () => {
  test.each([
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "InternalServerException",
    "TimeoutError",
  ])("that failed with %s is made again, and each attempt is counted", async (name) => {
    const { call, counts } = open({ patience_ms: 5000 });
    expect(await call(failing(named(name), named(name)))).toBe("answer");
    expect(counts.toJSON()).toEqual({ total: 3, throttled: /Thr|Many/.test(name) ? 2 : 0, Op: 3 });
  });

  test.each(["AccessDeniedException", "ResourceNotFoundException", "InvalidInputException", "TooManyTagsException"])(
    "that failed with %s is not made again",
    async (name) => {
      const { call, counts } = open();
      await expect(call(failing(named(name)))).rejects.toThrow(name);
      expect(counts.total).toBe(1);
    },
  );

  test("that keeps failing ends with its own error once patience is over", async () => {
    const { call, counts } = open({ patience_ms: 300 });
    const began = performance.now();
    const always = () => Promise.reject(named("ServiceUnavailable"));
    await expect(call(always)).rejects.toMatchObject({ name: "ServiceUnavailable" });
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(counts.total).toBeGreaterThan(1);
  });

  test("that writes is made once, whatever happens", async () => {
    const { call, counts } = open({ patience_ms: 5000 });
    for (const name of ["ThrottlingException", "InternalServerException", "ECONNRESET", "ExpiredTokenException"]) {
      await expect(call(failing(named(name)), { retry: false, renew: async () => true })).rejects.toThrow(name);
    }
    expect(counts.total).toBe(4);
  });

  test("without an answer in time has failed, and the request is given up", async () => {
    const { call } = open({ timeout_ms: 50, patience_ms: 40 });
    let given_up = false;
    const hang = (signal: AbortSignal) =>
      new Promise<never>(() => {
        signal.addEventListener("abort", () => {
          given_up = true;
        });
      });
    await expect(call(hang)).rejects.toMatchObject({ name: "TimeoutError", message: "Op did not answer in 50 ms" });
    expect(given_up).toBe(true);
  });

  test("with expired credentials is made again with new ones, once", async () => {
    const { call, counts } = open();
    let renewals = 0;
    const renew = async () => {
      renewals += 1;
      return true;
    };
    expect(await call(failing(named("ExpiredTokenException")), { renew })).toBe("answer");
    await expect(call(failing(named("ExpiredToken"), named("ExpiredToken")), { renew })).rejects.toThrow(
      "ExpiredToken",
    );
    expect([renewals, counts.total]).toEqual([2, 4]);
  });

  test("with expired credentials and no others to be had is not made again", async () => {
    const { call, counts } = open();
    await expect(call(failing(named("ExpiredTokenException")))).rejects.toThrow("ExpiredTokenException");
    expect(counts.total).toBe(1);
  });

  test("waits as long as Retry-After says", async () => {
    const { call } = open({ patience_ms: 5000 });
    const began = performance.now();
    await call(failing(named("ThrottlingException", { $response: { headers: { "retry-after": "0.6" } } })));
    expect(performance.now() - began).toBeGreaterThanOrEqual(595);
  });
});

describe("a gate", () => {
  test("keeps to its rate and to the number of calls under way", async () => {
    const { call } = open({ burst: 5, per_second: 50, in_flight: 3 });
    let running = 0;
    let most = 0;
    const began = performance.now();
    const work = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
    };
    await Promise.all(Array.from({ length: 20 }, () => call(work)));
    expect(most).toBe(3);
    expect(performance.now() - began).toBeGreaterThanOrEqual((15 / 50) * 1000 - 5);
  });

  test("lets calls in as they came", async () => {
    const { call } = open({ burst: 1, per_second: 200, in_flight: 1 });
    const order: number[] = [];
    await Promise.all([1, 2, 3, 4].map((number) => call(async () => void order.push(number))));
    expect(order).toEqual([1, 2, 3, 4]);
  });

  test("that answers nothing any more is asked once a second, and others fail at once", async () => {
    const { call, counts } = open({ patience_ms: 200 });
    const always = () => Promise.reject(named("ServiceUnavailable"));
    await expect(call(always)).rejects.toThrow("ServiceUnavailable");
    await new Promise((resolve) => setTimeout(resolve, 250));
    const before = counts.total;
    const began = performance.now();
    const results = await Promise.allSettled(Array.from({ length: 500 }, () => call(always)));
    expect(results.every((result) => result.status === "rejected" && result.reason.name === "ServiceUnavailable")).toBe(
      true,
    );
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(counts.total - before).toBeLessThanOrEqual(12);
  });

  test("that answers again is used again", async () => {
    const { call } = open({ patience_ms: 100 });
    await expect(call(() => Promise.reject(named("ServiceUnavailable")))).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(await call(async () => "answer")).toBe("answer");
    expect(await Promise.all([1, 2, 3].map((number) => call(async () => number)))).toEqual([1, 2, 3]);
  });

  test("that failed in an earlier scan is given the same patience again", async () => {
    const { call } = open({ patience_ms: 1500 });
    await expect(call(() => Promise.reject(named("ServiceUnavailable")))).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 2100));
    expect(await call(failing(named("ServiceUnavailable"), named("ServiceUnavailable")))).toBe("answer");
  });

  test("is left at once when the signal aborts: in the queue, in a call, between attempts, and before", async () => {
    const reason = new Error("enough");
    const slow = { burst: 1, per_second: 0.01, patience_ms: 60_000, timeout_ms: 60_000 };
    const begin = async (run: (signal: AbortSignal) => Promise<unknown>, occupied: boolean) => {
      const { call } = open(slow);
      if (occupied) await call(async () => 0);
      const controller = new AbortController();
      const result = call(run, { signal: controller.signal });
      setTimeout(() => controller.abort(reason), 20);
      const began = performance.now();
      await expect(result).rejects.toBe(reason);
      expect(performance.now() - began).toBeLessThan(10_000);
      await expect(call(run, { signal: controller.signal })).rejects.toBe(reason);
    };
    await begin(async () => 0, true);
    await begin(() => new Promise(() => {}), false);
    await begin(() => Promise.reject(named("ThrottlingException")), false);
  });

  test("is free for others after somebody left the queue", async () => {
    const { call } = open({ burst: 1, per_second: 20 });
    await call(async () => 0);
    const controller = new AbortController();
    const left = call(async () => "left", { signal: controller.signal });
    const stayed = call(async () => "stayed");
    controller.abort(new Error("enough"));
    await expect(left).rejects.toThrow("enough");
    expect(await stayed).toBe("stayed");
  });
});
