import { placeIn } from "../json-text.ts";
import { type DocumentProblem, type DocumentWarning, pathOf, type ProblemCode, type WarningCode } from "./problem.ts";

/** A place in a document: names from the root, and where it begins in the text (-1: nowhere). */
export type Spot = { readonly names: readonly string[]; readonly at: number };

/** Of one document; who has more mends these first. */
const KEPT = 100;

/** Collects what is wrong with one document. */
export class Complaints {
  readonly #place: ReturnType<typeof placeIn>;
  readonly #problems: { readonly at: number; readonly problem: DocumentProblem }[] = [];
  readonly #warnings: DocumentWarning[] = [];
  #problem_count = 0;

  /** `input`: the document, to find lines and columns in it when it is a text. */
  constructor(input: unknown) {
    this.#place = placeIn(input);
  }

  problem(code: ProblemCode, { names, at }: Spot, message: string, hint?: string): void {
    this.#problem_count += 1;
    if (this.#problems.length >= KEPT) return;
    const place = { path: pathOf(names), ...this.#place(at) };
    this.#problems.push({ at, problem: { code, ...place, message, ...(hint !== undefined && { hint }) } });
  }

  warn(code: WarningCode, { names, at }: Spot, message: string): void {
    if (this.#warnings.length < KEPT) this.#warnings.push({ code, path: pathOf(names), ...this.#place(at), message });
  }

  /** What AWS refuses, in the order of the document; how many more there are than are kept; and what to know besides. */
  all(): { problems: DocumentProblem[]; more_problems: number; warnings: DocumentWarning[] } {
    const problems = this.#problems.toSorted((a, b) => a.at - b.at).map(({ problem }) => problem);
    return { problems, more_problems: this.#problem_count - problems.length, warnings: this.#warnings };
  }
}
