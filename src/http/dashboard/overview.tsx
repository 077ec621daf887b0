import type { ScanRow } from "../../reports/db/scans.ts";
import type { Basis, BreakdownRow, Compliance, RuleRow, UnitRow } from "../../reports/store.ts";
import type { TrendRow } from "../../reports/trend.ts";
import type { Severity } from "../../policy/verdict.ts";
import { Groups, Keys } from "./breakdowns.tsx";
import { Head } from "./layout.tsx";
import { link } from "./links.ts";
import { AccountName, Chip, CountLink, FourBar, Percent, Place, SizeBar, Swatch, Time } from "./parts.tsx";
import { LatestScan, RunningScan, ScanNow } from "./scan-status.tsx";
import { Trend } from "./trend.tsx";
import { count, percent, plural, title } from "./words.ts";

export type OverviewData = {
  readonly compliance: Compliance;
  readonly basis: Basis;
  readonly severities: Record<Severity, number>;
  readonly by_type: readonly BreakdownRow[];
  readonly by_account: readonly BreakdownRow[];
  readonly by_key: readonly BreakdownRow[];
  readonly rules: readonly RuleRow[];
  readonly incomplete: readonly UnitRow[];
  readonly latest: ScanRow | null;
  readonly active: ScanRow | null;
  /** The last 90 days, as far as anything is known of them. */
  readonly trend: readonly TrendRow[];
  readonly names: ReadonlyMap<string, string>;
  readonly now: Date;
  /** Why nothing may be repaired now; null: it may. */
  readonly paused: string | null;
};

const PARTS = ["compliant", "noncompliant", "exempt", "unknown"] as const;
const SEVERITIES_DOWN = ["critical", "high", "medium", "low"] as const;

/** The first page: how compliant everything is, whether that can be trusted, and where it is not. */
export function Overview(props: { data: OverviewData }) {
  const { data } = props;
  if (data.basis.newest_listed_at === null) return <NothingYet data={data} />;
  return (
    <>
      {data.active === null ? null : <RunningScan scan={data.active} now={data.now} />}
      <Paused why={data.paused} />
      <Incomplete data={data} />
      <div class="grid grid-hero">
        <Hero data={data} />
        <LatestScan scan={data.latest} now={data.now} busy={data.active !== null} />
      </div>
      <Trend rows={data.trend} />
      <div class="grid grid-2">
        <Rules data={data} />
        <Keys by_key={data.by_key} now={data.now} />
      </div>
      <div class="grid grid-2">
        <Groups title="By type" first="Type" rows={data.by_type} name={(row) => title(row.group ?? "")} filter="type" />
        <Groups
          title="By account"
          first="Account"
          rows={data.by_account}
          name={(row) => <Place account_id={row.group ?? ""} names={data.names} />}
          filter="account_id"
        />
      </div>
    </>
  );
}

function NothingYet({ data }: { data: OverviewData }) {
  const { active, latest, now } = data;
  return (
    <>
      <Head title="Overview" />
      {active === null ? null : <RunningScan scan={active} now={now} live />}
      <Paused why={data.paused} />
      <Incomplete data={data} />
      <section class="card empty">
        <h2>No complete scan yet</h2>
        <p>
          {active !== null
            ? "The numbers appear here as soon as the first unit has been read to its end. This page looks again by itself."
            : latest === null
              ? "Nothing has been read, so nothing is known: this is not the same as nothing found."
              : "The last scan could not read a single unit to its end, so nothing is known yet."}
        </p>
        {active === null ? <ScanNow /> : null}
      </section>
    </>
  );
}

function Paused({ why }: { why: string | null }) {
  if (why === null) return null;
  return (
    <p class="note warn">
      <strong>Repairs are paused.</strong> Nothing is written: {why}
    </p>
  );
}

function Hero({ data }: { data: OverviewData }) {
  const { compliance: now, basis } = data;
  const judged = now.compliant + now.noncompliant;
  return (
    <section class="card" aria-labelledby="compliance">
      <h1 id="compliance" class="hero-title">
        Compliance
      </h1>
      <div class="hero-top">
        <div>
          <p class="big">
            {percent(now.ratio)}
            {now.ratio === null ? null : <small>%</small>}
          </p>
        </div>
        <dl class="stats">
          <div>
            <dt>
              <abbr title="compliant ÷ everything in scope: exempt and unknown count against it">strict</abbr>
            </dt>
            <dd>
              <Percent ratio={now.strict_ratio} />
            </dd>
          </div>
          <div>
            <dt>
              <abbr title="share of the resources in scope that could be judged; unknown while a unit was never read">
                coverage
              </abbr>
            </dt>
            <dd>
              {now.coverage === null ? (
                <span title="A unit was never read">unknown</span>
              ) : (
                <Percent ratio={now.coverage} />
              )}
            </dd>
          </div>
          <div>
            <dt>as of</dt>
            <dd>
              <Time at={basis.newest_listed_at} now={data.now} />
            </dd>
          </div>
        </dl>
      </div>
      <p class="hero-say">
        {now.ratio === null
          ? "No resource could be judged."
          : `${count(now.compliant)} of ${plural(judged, "judged resource")} comply with every rule.`}
      </p>
      <FourBar counts={now} />
      <ul class="legend">
        {PARTS.map((part) => (
          <li>
            <a href={link.resources({ status: part })}>
              <Swatch part={part} />
              <b>{count(now[part])}</b>
              <span>{part}</span>
            </a>
          </li>
        ))}
      </ul>
      <p class="muted small hero-foot">
        {now.not_applicable > 0 ? (
          <>
            <a href={link.resources({ status: "not_applicable" })}>{plural(now.not_applicable, "resource")}</a> under no
            rule or being deleted {now.not_applicable === 1 ? "is" : "are"} not counted.{" "}
          </>
        ) : null}
        Open findings:{" "}
        {SEVERITIES_DOWN.map((severity, index) => (
          <>
            {index === 0 ? "" : ", "}
            <CountLink
              value={data.severities[severity]}
              href={link.findings({ severity })}
              label={`open findings of ${severity} severity`}
            />{" "}
            {severity}
          </>
        ))}
        .{basis.policy_set_id === null ? "" : ` Policies ${basis.policy_set_id.slice(0, 12)}.`}
      </p>
    </section>
  );
}

/** Names what the numbers do not cover, with the reason: the first ones openly, the others folded. */
function Incomplete({ data }: { data: OverviewData }) {
  const { incomplete, now } = data;
  if (incomplete.length === 0) return null;
  const never = incomplete.filter((unit) => unit.freshness === "never_read").length;
  const [first, rest] = [incomplete.slice(0, 3), incomplete.slice(3, 100)];
  const line = (unit: UnitRow) => (
    <li>
      <strong>{title(unit.type)}</strong> in <AccountName id={unit.account_id} names={data.names} /> {unit.region}:{" "}
      {unit.error === null
        ? unit.state === null
          ? "not attempted yet"
          : `the last attempt ended ${unit.state}`
        : unit.error.name}
      {unit.listed_at === null ? (
        ", never read"
      ) : (
        <>
          , last read <Time at={unit.listed_at} now={now} />
        </>
      )}
    </li>
  );
  return (
    <section class="note warn" aria-label="Incomplete units">
      <strong>
        {plural(incomplete.length, "unit")} could not be read completely
        {never > 0 ? `, ${count(never)} of them never` : ""}.
      </strong>{" "}
      Their resources are unknown or as last seen; nothing there was closed.
      <ul>{first.map(line)}</ul>
      {rest.length === 0 ? null : (
        <details>
          <summary>{count(incomplete.length - 3)} more</summary>
          <ul>{rest.map(line)}</ul>
        </details>
      )}
    </section>
  );
}

function Rules({ data }: { data: OverviewData }) {
  const { rules } = data;
  const max = Math.max(0, ...rules.map((rule) => rule.open_findings));
  return (
    <section class="card flush" aria-labelledby="by-rule">
      <h2 id="by-rule">By rule</h2>
      {rules.length === 0 ? (
        <p class="pad muted">There is no rule yet.</p>
      ) : (
        <div class="scroll" role="group" aria-labelledby="by-rule" tabindex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">Rule</th>
                <th scope="col">Severity</th>
                <th scope="col" class="hide-small">
                  Share of the largest
                </th>
                <th scope="col" class="num">
                  Open
                </th>
              </tr>
            </thead>
            <tbody>
              {rules.map((rule) => {
                const name = `${rule.policy_id}/${rule.rule_id}`;
                return (
                  <tr>
                    <th scope="row">
                      {rule.rule_id}
                      <span class="sub">
                        {rule.policy_id}
                        {rule.active ? "" : ", no longer active"}
                      </span>
                    </th>
                    <td>
                      <Chip state={rule.severity} />
                    </td>
                    <td class="bar-cell hide-small">
                      <SizeBar
                        value={rule.open_findings}
                        max={max}
                        label={`${count(rule.open_findings)} open findings`}
                      />
                    </td>
                    <td class="num">
                      <CountLink
                        value={rule.open_findings}
                        href={link.findings({ rule: name })}
                        label={`open findings of ${name}`}
                      />
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
