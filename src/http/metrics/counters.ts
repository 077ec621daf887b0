import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { AwsCall } from "../../inventory/aws/session.ts";
import type { AnsweredRequest } from "../deps.ts";

/** Methods that a request may have; any other is one of theirs, so that nobody outside makes new series. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Seconds. A list of Personalize answers in some 50 ms; after 10 s an attempt has failed. */
const AWS_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const HTTP_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What a process counts while it runs, beside the usual metrics of a process of Node. */
export class ProcessCounters {
  readonly registry = new Registry();
  readonly #requests: Counter<"service" | "operation" | "outcome">;
  readonly #durations: Histogram<"service">;
  readonly #http: Histogram<"method" | "route" | "status">;

  constructor(version: string) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    new Gauge({
      name: "tagwarden_build_info",
      help: "Always 1; the label says which version runs",
      labelNames: ["version"],
      registers,
    }).set({ version }, 1);
    this.#requests = new Counter({
      name: "tagwarden_aws_requests_total",
      help: "Calls of AWS by this process, each attempt counted",
      labelNames: ["service", "operation", "outcome"],
      registers,
    });
    this.#durations = new Histogram({
      name: "tagwarden_aws_request_duration_seconds",
      help: "How long AWS took to answer an attempt, waiting for a free place under the rate not included",
      labelNames: ["service"],
      buckets: AWS_BUCKETS,
      registers,
    });
    this.#http = new Histogram({
      name: "tagwarden_http_request_duration_seconds",
      help: "How long the API and the dashboard took to answer",
      labelNames: ["method", "route", "status"],
      buckets: HTTP_BUCKETS,
      registers,
    });
  }

  /** Counts an attempt at a call of AWS. */
  readonly onCall = ({ service, operation, outcome, seconds }: AwsCall): void => {
    this.#requests.inc({ service, operation, outcome });
    this.#durations.observe({ service }, seconds);
  };

  /** Counts a request that was answered. */
  readonly onAnswer = ({ method, route, status, seconds }: AnsweredRequest): void => {
    this.#http.observe({ method: METHODS.has(method) ? method : "other", route, status: String(status) }, seconds);
  };
}
