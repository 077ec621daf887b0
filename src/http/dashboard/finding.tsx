import type { FindingEventRow, FindingRow } from "../../reports/store.ts";
import { lookupText } from "../../findings/fights.ts";
import { Head } from "./layout.tsx";
import { link } from "./links.ts";
import { AccountName, Chip, FullTime } from "./parts.tsx";
import type { Advice } from "./repair-advice.ts";
import { plural, title } from "./words.ts";

/** One finding with its history. */
export function FindingPage(props: {
  finding: FindingRow;
  events: readonly FindingEventRow[];
  advice: Advice | null;
  names: ReadonlyMap<string, string>;
  now: Date;
}) {
  const { finding, now } = props;
  return (
    <>
      <Head title={finding.detail.message} say={finding.policy_title ?? finding.policy_id}>
        <Chip state={finding.effective_status} />
      </Head>
      <section class="card" aria-label="About this finding">
        <dl class="facts">
          <div>
            <dt>Resource</dt>
            <dd>
              <a href={link.resource(finding.arn)}>{finding.name ?? finding.arn}</a>
            </dd>
          </div>
          <div>
            <dt>Type</dt>
            <dd>{title(finding.type)}</dd>
          </div>
          <div>
            <dt>Account and region</dt>
            <dd>
              <AccountName id={finding.account_id} names={props.names} />, {finding.region}
            </dd>
          </div>
          <div>
            <dt>Owner of the resource</dt>
            <dd>{finding.owner ?? <span class="muted">nobody is named</span>}</dd>
          </div>
          <div>
            <dt>Who answers for the policy</dt>
            <dd>{finding.policy_owner ?? <span class="muted">not said</span>}</dd>
          </div>
          <div class="full">
            <dt>ARN</dt>
            <dd>
              <code>{finding.arn}</code>
            </dd>
          </div>
        </dl>
      </section>
      <div class="grid grid-side">
        <section class="card" aria-labelledby="violation">
          <h2 id="violation">Violation</h2>
          <FindingCard finding={finding} advice={props.advice} now={now} />
        </section>
        <section class="card" aria-labelledby="history">
          <h2 id="history">History</h2>
          <History events={props.events.toReversed()} now={now} />
        </section>
      </div>
    </>
  );
}

/** What a finding saw, what it wanted, since when, and what to type. */
export function FindingCard(props: { finding: FindingRow; advice: Advice | null; now: Date; linked?: boolean }) {
  const { finding, advice, now } = props;
  const { detail } = finding;
  const observed = Object.entries(detail.observed);
  return (
    <article class={`finding${finding.effective_status === "open" ? "" : " finding-exempt"}`}>
      <div class="head">
        <h3>{props.linked === true ? <a href={link.finding(finding.id)}>{detail.message}</a> : detail.message}</h3>
        <span class="actions">
          <Chip state={finding.severity} />
          <Chip state={finding.effective_status} />
        </span>
      </div>
      <dl class="versus">
        <dt>Expected</dt>
        <dd>{detail.expected}</dd>
        <dt>Seen</dt>
        <dd>
          {observed.length === 0 && detail.fight === undefined ? <span class="muted">no such tag</span> : null}
          {detail.fight === undefined ? null : (
            <div>
              Repaired by <code>{`${detail.fight.policy_id}/${detail.fight.rule_id}`}</code>, reverted{" "}
              {plural(detail.fight.reverts, "time")}.
            </div>
          )}
          {observed.map(([key, value]) => (
            <div>
              <code>
                {key} = {value === "" ? "(empty)" : value}
              </code>
            </div>
          ))}
          {detail.count === undefined ? null : <div>{plural(detail.count, "tag")}</div>}
          {detail.fight?.by === undefined ? null : (
            <div>
              Tags were last written by <code>{detail.fight.by.principal}</code> at {detail.fight.by.at}.
            </div>
          )}
          {detail.fight?.lookup === undefined ? null : <div>{lookupText(detail.fight.lookup)}.</div>}
          {detail.near_miss === undefined ? null : (
            <div>
              There is a key <code>{detail.near_miss}</code>, which looks like a slip of it.
            </div>
          )}
        </dd>
        <dt>Rule</dt>
        <dd>
          <a href={link.findings({ rule: `${finding.policy_id}/${finding.rule_id}` })}>
            {finding.policy_id}/{finding.rule_id}
          </a>
        </dd>
        <dt>Since</dt>
        <dd>
          <FullTime at={finding.opened_at} now={now} />
          {finding.reopen_count === 0 ? null : (
            <>
              , first seen <FullTime at={finding.first_opened_at} now={now} />, came back{" "}
              {plural(finding.reopen_count, "time")}
            </>
          )}
        </dd>
        {finding.resolved_at === null ? null : (
          <>
            <dt>Resolved</dt>
            <dd>
              <FullTime at={finding.resolved_at} now={now} />: {title(finding.resolution ?? "").toLowerCase()}
            </dd>
          </>
        )}
        {finding.exempt_until === null ? null : (
          <>
            <dt>Exempt until</dt>
            <dd>
              <FullTime at={finding.exempt_until} now={now} />
            </dd>
          </>
        )}
      </dl>
      {advice === null ? null : <HowToFix advice={advice} />}
    </article>
  );
}

function HowToFix({ advice }: { advice: Advice }) {
  return (
    <div class="fix">
      <p class="small muted">To fix it</p>
      {advice.note === null ? null : <p>{advice.note}</p>}
      {advice.commands.map((command) => (
        <pre tabindex={0} aria-label="Command">
          {command}
        </pre>
      ))}
    </div>
  );
}

/** What happened, the newest first. */
export function History(props: { events: readonly FindingEventRow[]; now: Date; named?: boolean }) {
  if (props.events.length === 0) return <p class="muted">Nothing has happened yet.</p>;
  return (
    <ol class="history">
      {props.events.map((event) => (
        <li class={MARKS[event.event]}>
          <div>
            <strong>{title(event.event)}</strong>
            {props.named === true ? <>: {event.detail.message}</> : null}{" "}
            <span class="muted">({title(event.cause).toLowerCase()})</span>
          </div>
          <div class="small muted">
            <FullTime at={event.at} now={props.now} />
            {event.source === null ? "" : `, seen by the ${event.source}`}
            {event.actor === null ? "" : `, by ${event.actor}`}
            {event.scan_id === null ? null : (
              <>
                , <a href={link.scan(event.scan_id)}>scan</a>
              </>
            )}
          </div>
        </li>
      ))}
    </ol>
  );
}

const MARKS = { opened: "h-opened", reopened: "h-reopened", changed: "h-changed", resolved: "h-resolved" } as const;
