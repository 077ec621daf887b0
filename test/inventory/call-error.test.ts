import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { errorKind, errorName, retryAfter, retryDelay, toReadError } from "../../src/inventory/call-error.ts";

const named = (name: string, more: object = {}) => Object.assign(new Error("said so"), { name, ...more });

describe("an error of an AWS call", () => {
  test.each([
    [named("ThrottlingException"), "throttle"],
    [named("ThrottledException"), "throttle"],
    [named("Throttling"), "throttle"],
    [named("TooManyRequestsException"), "throttle"],
    [named("LimitExceededException"), "throttle"],
    [named("RequestLimitExceeded"), "throttle"],
    [named("SlowDown"), "throttle"],
    [named("Unheard", { $metadata: { httpStatusCode: 429 } }), "throttle"],
    [named("Unheard", { $metadata: { httpStatusCode: 503 } }), "transient"],
    [named("InternalServerException"), "transient"],
    [named("ServiceUnavailable"), "transient"],
    [named("TimeoutError", { code: "ETIMEDOUT" }), "transient"],
    [named("Error", { code: "ECONNRESET" }), "transient"],
    [named("Error", { code: "ENOTFOUND" }), "transient"],
    [named("SyntaxError"), "transient"],
    [named("ExpiredTokenException"), "credentials"],
    [named("ExpiredToken"), "credentials"],
    [named("AccessDeniedException"), "denied"],
    [named("AccessDenied"), "denied"],
    [named("UnrecognizedClientException"), "final"],
    [named("ResourceNotFoundException"), "final"],
    [named("ResourceInUseException"), "final"],
    [named("InvalidInputException"), "final"],
    [named("TooManyTagsException"), "final"],
    [null, "final"],
    ["text", "final"],
  ])("%s: %s", (error, kind) => {
    expect(errorKind(error)).toBe(kind);
  });

  test("has the name that AWS gave it, or the code that the network gave it", () => {
    expect(errorName(named("AccessDeniedException", { Code: "x" }))).toBe("AccessDeniedException");
    expect(errorName(named("Error", { code: "ECONNREFUSED" }))).toBe("ECONNREFUSED");
    expect(errorName(named("TimeoutError", { code: "ETIMEDOUT" }))).toBe("TimeoutError");
    expect(errorName(undefined)).toBe("Error");
  });

  test("is shown with its operation, and not at any length", () => {
    expect(toReadError(named("InvalidInputException", { message: "m".repeat(9000) }), "ListCampaigns")).toEqual({
      name: "InvalidInputException",
      message: "m".repeat(500),
      operation: "ListCampaigns",
    });
  });

  test("Retry-After is a number of seconds or a date, and no more than a minute", () => {
    const now = new Date("2026-05-04T10:00:00Z");
    const after = (text: string) => retryAfter({ $response: { headers: { "retry-after": text } } }, now);
    expect(after("3")).toBe(3000);
    expect(after("Mon, 04 May 2026 10:00:07 GMT")).toBe(7000);
    expect(after("86400")).toBe(60_000);
    expect(after("Mon, 04 May 2026 09:00:00 GMT")).toBe(0);
    expect(after("soon")).toBe(0);
    expect(retryAfter(new Error("x"), now)).toBe(0);
    expect(retryAfter(null, now)).toBe(0);
  });

  test("the wait before another attempt is random below a bound that doubles, up to ten seconds", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("throttle" as const, "transient" as const),
        fc.integer({ min: 1, max: 60 }),
        (kind, attempt) => {
          expect(retryDelay(kind, attempt, 0)).toBe(0);
          const most = retryDelay(kind, attempt, 1 - Number.EPSILON);
          expect(most).toBeLessThanOrEqual(10_000);
          expect(retryDelay(kind, attempt + 1, 1 - Number.EPSILON)).toBeGreaterThanOrEqual(most);
        },
      ),
    );
    expect(retryDelay("throttle", 1, 0.5)).toBe(250);
    expect(retryDelay("transient", 3, 0.5)).toBe(100);
  });
});
