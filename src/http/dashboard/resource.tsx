import type { FindingRow, ResourceDetail } from "../../reports/store.ts";
import { isReserved } from "../../tags/limits.ts";
import { FindingCard, History } from "./finding.tsx";
import { Head } from "./layout.tsx";
import { link } from "./links.ts";
import { AccountName, Chip, FullTime, Time } from "./parts.tsx";
import type { Advice } from "./repair-advice.ts";
import { count, title } from "./words.ts";

/** One resource: who it is, its tags and how they are known, what is wrong with them, and what happened. */
export function ResourcePage(props: {
  resource: ResourceDetail;
  advice: (finding: FindingRow) => Advice | null;
  names: ReadonlyMap<string, string>;
  now: Date;
}) {
  const { resource, now } = props;
  const open = resource.findings.filter((finding) => finding.state === "open");
  const resolved = resource.findings.filter((finding) => finding.state !== "open");
  return (
    <>
      <Head title={resource.name} say={<>{title(resource.type)}</>}>
        <Chip state={resource.status} />
      </Head>
      <Identity resource={resource} names={props.names} now={now} />
      <div class="grid grid-side">
        <section class="card" aria-labelledby="findings">
          <h2 id="findings">{open.length === 0 ? "Findings" : `Open findings (${count(open.length)})`}</h2>
          <div class="stack">
            {open.length === 0 ? <p class="muted">{NO_FINDING[resource.status]}</p> : null}
            {open.map((finding) => (
              <FindingCard finding={finding} advice={props.advice(finding)} now={now} linked />
            ))}
            {resolved.length === 0 ? null : (
              <details>
                <summary>Resolved ({count(resolved.length)})</summary>
                <div class="stack in-details">
                  {resolved.map((finding) => (
                    <FindingCard finding={finding} advice={null} now={now} linked />
                  ))}
                </div>
              </details>
            )}
          </div>
        </section>
        <div class="grid">
          <Tags resource={resource} now={now} />
          <section class="card" aria-labelledby="history">
            <h2 id="history">History</h2>
            <History events={resource.history} now={now} named />
          </section>
        </div>
      </div>
    </>
  );
}

const NO_FINDING = {
  compliant: "None: every rule passes.",
  noncompliant: "None.",
  exempt: "None.",
  unknown: "None is known, but it could not be judged now.",
  not_applicable: "None: no rule is about it, or it is being deleted.",
} as const;

function Identity(props: { resource: ResourceDetail; names: ReadonlyMap<string, string>; now: Date }) {
  const { resource, names, now } = props;
  return (
    <section class="card" aria-label="Identity">
      {resource.status === "unknown" ? (
        <p class="note warn in-card">
          Unknown:{" "}
          {resource.unknown_reason ?? resource.reading_error?.name ?? "the last list of its unit did not reach its end"}
          . What is shown is as last seen.
        </p>
      ) : null}
      <dl class="facts">
        <div>
          <dt>Account</dt>
          <dd>
            <a href={link.resources({ account_id: resource.account_id })}>
              <AccountName id={resource.account_id} names={names} />
            </a>
          </dd>
        </div>
        <div>
          <dt>Region</dt>
          <dd>{resource.region}</dd>
        </div>
        <div>
          <dt>State in Personalize</dt>
          <dd>{resource.service_status}</dd>
        </div>
        <div>
          <dt>Owner</dt>
          <dd>{resource.owner ?? <span class="muted">nobody is named</span>}</dd>
        </div>
        <div>
          <dt>Created</dt>
          <dd>
            <FullTime at={resource.created_at} now={now} absent="not said" />
          </dd>
        </div>
        <div>
          <dt>First seen here</dt>
          <dd>
            <FullTime at={resource.first_seen_at} now={now} />
          </dd>
        </div>
        <div>
          <dt>Managed by</dt>
          <dd>
            {resource.stack === null ? (
              <span class="muted">no stack known</span>
            ) : (
              `CloudFormation stack ${resource.stack}`
            )}
          </dd>
        </div>
        <div class="full">
          <dt>ARN</dt>
          <dd>
            <code>{resource.arn}</code>
          </dd>
        </div>
      </dl>
    </section>
  );
}

function Tags(props: { resource: ResourceDetail; now: Date }) {
  const { resource, now } = props;
  const tags = Object.entries(resource.tags ?? {}).toSorted(
    ([a], [b]) => Number(isReserved(a)) - Number(isReserved(b)) || (a < b ? -1 : 1),
  );
  return (
    <section class="card flush" aria-labelledby="tags">
      <div class="card-head">
        <h2 id="tags">Tags</h2>
        <span class="muted small">
          {resource.tags === null ? (
            "never read"
          ) : (
            <>
              from the {resource.source ?? "service"}, so since <Time at={resource.tags_read_at} now={now} />
            </>
          )}
        </span>
      </div>
      {resource.tags === null ? (
        <p class="pad muted">They were never read, which is not the same as none.</p>
      ) : tags.length === 0 ? (
        <p class="pad muted">It has no tags.</p>
      ) : (
        <div class="scroll" role="group" aria-labelledby="tags" tabindex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">Key</th>
                <th scope="col">Value</th>
              </tr>
            </thead>
            <tbody>
              {tags.map(([key, value]) => (
                <tr>
                  <th scope="row">
                    <code>{key}</code>
                    {isReserved(key) ? <span class="sub">set by AWS, never judged</span> : null}
                  </th>
                  <td>{value === "" ? <span class="muted">(empty)</span> : <code>{value}</code>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p class="pad muted small">
        Checked with its unit <Time at={resource.unit_listed_at} now={now} />.{" "}
        {resource.service_read_at === null ? (
          "The service itself was never asked."
        ) : (
          <>
            The service itself was last asked <Time at={resource.service_read_at} now={now} />.
          </>
        )}
        {resource.reading_error === null
          ? ""
          : ` The last attempt to read them failed: ${resource.reading_error.name}.`}
      </p>
    </section>
  );
}
