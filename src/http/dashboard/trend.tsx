import type { TrendRow } from "../../reports/trend.ts";
import { count, percent, plural } from "./words.ts";

const WIDTH = 900;
const HEIGHT = 160;

/** How compliance went, as a line and, for whoever cannot see it, as a table. Nothing where there is no second day to compare with. */
export function Trend(props: { rows: readonly TrendRow[] }) {
  const { rows } = props;
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined || rows.length < 2) return null;
  return (
    <section class="card" aria-labelledby="trend">
      <div class="card-head">
        <h2 id="trend">The last {rows.length} days</h2>
        <span class="muted small">Share of the judged resources without an open finding, exempt ones included</span>
      </div>
      <svg
        class="trend"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-labelledby="trend-title trend-desc"
      >
        <title id="trend-title">Compliance by day</title>
        <desc id="trend-desc">
          {`From ${percent(first.ratio)} % on ${first.period} to ${percent(last.ratio)} % on ${last.period}. The table below has every day.`}
        </desc>
        {[0, 0.5, 1].map((share) => (
          <line class="t-grid" x1={0} x2={WIDTH} y1={heightOf(share)} y2={heightOf(share)} />
        ))}
        {linesOf(rows).map((points) => (
          <polyline class="t-line" points={points} />
        ))}
      </svg>
      <p class="trend-ends muted small">
        <span>
          {first.period}: {percent(first.ratio)} %
        </span>
        <span>
          {last.period}: {percent(last.ratio)} %, {plural(last.open_findings, "open finding")}
        </span>
      </p>
      <details>
        <summary>As a table</summary>
        <div class="scroll in-details" role="group" aria-labelledby="trend" tabindex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">Day</th>
                {[
                  "Compliance",
                  "Without findings",
                  "With findings",
                  "Unknown",
                  "Open findings",
                  "Opened",
                  "Resolved",
                ].map((name) => (
                  <th scope="col" class="num">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.toReversed().map((row) => (
                <tr>
                  <th scope="row">{row.period}</th>
                  <td class="num">{row.ratio === null ? "–" : `${percent(row.ratio)} %`}</td>
                  {[
                    row.compliant ?? 0,
                    row.violating ?? 0,
                    row.unknown ?? 0,
                    row.open_findings,
                    row.opened + row.reopened,
                    row.resolved,
                  ].map((value) => (
                    <td class="num">{count(value)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </section>
  );
}

/** The points of the line, one line for each run of days on which something was judged. */
function linesOf(rows: readonly TrendRow[]): string[] {
  const lines: string[][] = [[]];
  for (const [index, { ratio }] of rows.entries()) {
    if (ratio === null) lines.push([]);
    else lines.at(-1)?.push(`${((index / (rows.length - 1)) * WIDTH).toFixed(1)},${heightOf(ratio)}`);
  }
  return lines.filter((points) => points.length > 1).map((points) => points.join(" "));
}

function heightOf(share: number): string {
  return (6 + (1 - share) * (HEIGHT - 12)).toFixed(1);
}
