import { RESOURCE_TYPE_NAMES } from "../../inventory/resource-types.ts";
import type { Page } from "../../reports/page.ts";
import type { ResourceRow } from "../../reports/store.ts";
import { STATUSES } from "../schemas.ts";
import { Head } from "./layout.tsx";
import { link, type LinkQuery } from "./links.ts";
import { anyUsed, FilterForm, Pages, Select, TextField, totalText } from "./lists.tsx";
import { Chip, CountLink, Place, Time } from "./parts.tsx";
import { count } from "./words.ts";

type Shown = Readonly<Record<string, readonly string[] | string | undefined>>;

/** The inventory. */
export function Resources(props: {
  page: Page<ResourceRow>;
  filters: Shown;
  query: LinkQuery;
  first: boolean;
  names: ReadonlyMap<string, string>;
  now: Date;
}) {
  const { page, filters, names, now } = props;
  return (
    <>
      <Head title="Resources" say={`${totalText(page.total)} ${page.total.count === 1 ? "resource" : "resources"}`} />
      <FilterForm
        action="/resources"
        clear={link.resources()}
        more={
          <>
            <TextField name="account_id" label="Account" value={filters["account_id"]} />
            <TextField name="region" label="Region" value={filters["region"]} />
            <TextField name="has_tag" label="Has tag" value={filters["has_tag"]} />
            <TextField name="lacks_tag" label="Lacks tag" value={filters["lacks_tag"]} />
            <TextField name="owner" label="Owner" value={filters["owner"]} />
          </>
        }
        more_used={anyUsed(filters, ["account_id", "region", "has_tag", "lacks_tag", "owner"])}
      >
        <TextField name="q" label="Name or ARN contains" value={filters["q"]} wide />
        <Select name="status" label="Compliance" any="Any" options={STATUSES} value={filters["status"]} />
        <Select name="type" label="Type" any="Any" options={RESOURCE_TYPE_NAMES} value={filters["type"]} />
      </FilterForm>
      <section class="card flush" aria-label="Resources">
        {page.items.length === 0 ? (
          <p class="empty muted">No resource matches.</p>
        ) : (
          <div class="scroll list" role="group" aria-label="Table of resources" tabindex={0}>
            <table>
              <thead>
                <tr>
                  <th scope="col">Resource</th>
                  <th scope="col">Compliance</th>
                  <th scope="col">Where</th>
                  <th scope="col">Owner</th>
                  <th scope="col" class="num">
                    Tags
                  </th>
                  <th scope="col" class="num">
                    Open findings
                  </th>
                  <th scope="col" class="num">
                    Tags as of
                  </th>
                </tr>
              </thead>
              <tbody>
                {page.items.map((resource) => (
                  <tr>
                    <th scope="row" class="w-name">
                      <a href={link.resource(resource.arn)}>{resource.name}</a>
                      <span class="sub">{resource.type}</span>
                    </th>
                    <td>
                      <Chip state={resource.status} />
                    </td>
                    <td class="w-place">
                      <Place account_id={resource.account_id} region={resource.region} names={names} />
                    </td>
                    <td>{resource.owner ?? <span class="muted">–</span>}</td>
                    <td class="num">
                      {resource.tags === null ? (
                        <span class="muted">not read</span>
                      ) : (
                        count(userTagCount(resource.tags))
                      )}
                    </td>
                    <td class="num">
                      <CountLink
                        value={resource.open_findings}
                        href={link.findings({ arn: resource.arn })}
                        label={`open findings of ${resource.name}`}
                      />
                    </td>
                    <td class="num">
                      <Time at={resource.unit_listed_at} now={now} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        <Pages page={page} first={props.first} query={props.query} to={link.resources} noun="resource" />
      </section>
    </>
  );
}

function userTagCount(tags: Readonly<Record<string, string>>): number {
  return Object.keys(tags).filter((key) => !key.toLowerCase().startsWith("aws:")).length;
}
