import { RESOURCE_TYPE_NAMES } from "../../inventory/resource-types.ts";
import { FINDING_KINDS, SEVERITIES } from "../../policy/verdict.ts";
import type { Page } from "../../reports/page.ts";
import type { FindingRow } from "../../reports/store.ts";
import { Head } from "./layout.tsx";
import { link, type LinkQuery } from "./links.ts";
import { anyUsed, FilterForm, Pages, Select, TextField, totalText } from "./lists.tsx";
import { Chip, Place, Time } from "./parts.tsx";

/** The filters in words of the address. */
type Shown = Readonly<Record<string, readonly string[] | string | undefined>>;

/** The list of findings. */
export function Findings(props: {
  page: Page<FindingRow>;
  filters: Shown;
  query: LinkQuery;
  first: boolean;
  names: ReadonlyMap<string, string>;
  now: Date;
}) {
  const { page, filters, names, now } = props;
  const status = typeof filters["effective_status"] === "string" ? filters["effective_status"] : "open";
  return (
    <>
      <Head
        title="Findings"
        say={`${totalText(page.total)} ${status === "all" ? "" : `${status} `}${page.total.count === 1 ? "finding" : "findings"}`}
      />
      <FilterForm
        action="/findings"
        clear={link.findings()}
        more={
          <>
            <Select name="kind" label="Kind" any="Any" options={FINDING_KINDS} value={filters["kind"]} />
            <TextField name="rule" label="Rule" value={filters["rule"]} />
            <TextField name="policy_id" label="Policy" value={filters["policy_id"]} />
            <TextField name="arn" label="Resource (ARN)" value={filters["arn"]} wide />
            <TextField name="account_id" label="Account" value={filters["account_id"]} />
            <TextField name="region" label="Region" value={filters["region"]} />
            <TextField name="owner" label="Owner" value={filters["owner"]} />
          </>
        }
        more_used={anyUsed(filters, ["kind", "rule", "account_id", "region", "owner", "policy_id", "arn"])}
      >
        <TextField name="q" label="Name or ARN contains" value={filters["q"]} wide />
        <Select
          name="effective_status"
          label="Status"
          any="Open, not exempt"
          options={["exempt", "resolved", "all"]}
          value={filters["effective_status"]}
        />
        <Select
          name="severity"
          label="Severity"
          any="Any"
          options={[...SEVERITIES].toReversed()}
          value={filters["severity"]}
        />
        <Select name="type" label="Type" any="Any" options={RESOURCE_TYPE_NAMES} value={filters["type"]} />
        <TextField name="key" label="Tag key" value={filters["key"]} />
        <Select
          name="sort"
          label="Order"
          any="Most severe first"
          options={["-opened_at", "opened_at", "account_id", "arn"]}
          value={filters["sort"]}
        />
      </FilterForm>
      <section class="card flush" aria-label="Findings">
        {page.items.length === 0 ? (
          <p class="empty muted">No finding matches.</p>
        ) : (
          <div class="scroll list" role="group" aria-label="Table of findings" tabindex={0}>
            <table>
              <thead>
                <tr>
                  <th scope="col">Finding</th>
                  <th scope="col">Severity</th>
                  <th scope="col">Resource</th>
                  <th scope="col">Where</th>
                  <th scope="col">Status</th>
                  <th scope="col" class="num">
                    Since
                  </th>
                </tr>
              </thead>
              <tbody>
                {page.items.map((finding) => (
                  <tr>
                    <th scope="row">
                      <a href={link.finding(finding.id)}>{finding.detail.message}</a>
                      <span class="sub">
                        {finding.policy_id}/{finding.rule_id}
                      </span>
                    </th>
                    <td>
                      <Chip state={finding.severity} />
                    </td>
                    <td class="w-name">
                      <a href={link.resource(finding.arn)}>{finding.name ?? finding.arn}</a>
                      <span class="sub">{finding.type}</span>
                    </td>
                    <td class="w-place">
                      <Place account_id={finding.account_id} region={finding.region} names={names} />
                    </td>
                    <td>
                      <Chip state={finding.effective_status} />
                    </td>
                    <td class="num">
                      <Time at={finding.opened_at} now={now} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        <Pages page={page} first={props.first} query={props.query} to={link.findings} noun="finding" />
      </section>
    </>
  );
}
