import type { Child } from "hono/jsx";
import type { BreakdownRow } from "../../reports/store.ts";
import { link } from "./links.ts";
import { CountLink, FourBar, Percent, SizeBar, Time } from "./parts.tsx";
import { count } from "./words.ts";

/** Open findings by tag key. */
export function Keys({ by_key, now }: { by_key: readonly BreakdownRow[]; now: Date }) {
  const rows = by_key.filter((row) => row.group !== null && row.group !== "" && row.open_findings > 0);
  const max = Math.max(0, ...rows.map((row) => row.open_findings));
  return (
    <section class="card flush" aria-labelledby="by-key">
      <h2 id="by-key">By tag key</h2>
      {rows.length === 0 ? (
        <p class="pad muted">No open finding is about a tag key.</p>
      ) : (
        <div class="scroll" role="group" aria-labelledby="by-key" tabindex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">Key</th>
                <th scope="col" class="hide-small">
                  Share of the largest
                </th>
                <th scope="col" class="num">
                  Open
                </th>
                <th scope="col" class="num">
                  Oldest
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.slice(0, 30).map((row) => (
                <tr>
                  <th scope="row">
                    <code>{row.group}</code>
                  </th>
                  <td class="bar-cell hide-small">
                    <SizeBar value={row.open_findings} max={max} label={`${count(row.open_findings)} open findings`} />
                  </td>
                  <td class="num">
                    <CountLink
                      value={row.open_findings}
                      href={link.findings({ key: row.group })}
                      label={`open findings about ${row.group ?? ""}`}
                    />
                  </td>
                  <td class="num">
                    <Time at={row.oldest_opened_at} now={now} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

/** How compliant each type or account is. */
export function Groups(props: {
  title: string;
  first: string;
  rows: readonly BreakdownRow[];
  name: (row: BreakdownRow) => Child;
  filter: "type" | "account_id";
}) {
  const id = `by-${props.filter.replace("_", "-")}`;
  const shown = props.rows.slice(0, 40);
  return (
    <section class="card flush" aria-labelledby={id}>
      <h2 id={id}>{props.title}</h2>
      <div class="scroll" role="group" aria-labelledby={id} tabindex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">{props.first}</th>
              <th scope="col" class="hide-small">
                Parts
              </th>
              <th scope="col" class="num">
                Noncompliant
              </th>
              <th scope="col" class="num hide-small">
                Unknown
              </th>
              <th scope="col" class="num">
                Compliance
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => {
              const scope = { [props.filter]: row.group };
              const counts = {
                compliant: row.compliant ?? 0,
                noncompliant: row.noncompliant,
                exempt: row.exempt,
                unknown: row.unknown ?? 0,
              };
              const of = `${props.first.toLowerCase()} ${row.group ?? ""}`;
              return (
                <tr>
                  <th scope="row">{props.name(row)}</th>
                  <td class="bar-cell hide-small">
                    <FourBar counts={counts} thin />
                  </td>
                  <td class="num">
                    <CountLink
                      value={row.noncompliant}
                      href={link.resources({ ...scope, status: "noncompliant" })}
                      label={`noncompliant, ${of}`}
                    />
                  </td>
                  <td class="num hide-small">
                    <CountLink
                      value={counts.unknown}
                      href={link.resources({ ...scope, status: "unknown" })}
                      label={`unknown, ${of}`}
                    />
                  </td>
                  <td class="num">
                    <Percent ratio={row.ratio} />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {props.rows.length > shown.length ? (
        <p class="pad muted small">
          The {shown.length} with the most noncompliant resources, of {count(props.rows.length)}.
        </p>
      ) : null}
    </section>
  );
}
