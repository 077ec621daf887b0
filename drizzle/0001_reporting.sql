-- What drizzle cannot declare, written by hand: the partitions of `finding_events`, and the views of schema `reporting`.

-- The history of findings by month, so that what is too old goes with its partition and not row by row. The columns, the key and the
-- indices are those of src/findings/schema.ts. The months are made by db/partitions.ts; what belongs to none of them, because a clock
-- is wrong, lands in the default partition, which is to be empty.
ALTER TABLE finding_events RENAME TO finding_events_unpartitioned;
--> statement-breakpoint
CREATE TABLE finding_events (LIKE finding_events_unpartitioned INCLUDING ALL) PARTITION BY RANGE (at);
--> statement-breakpoint
DROP TABLE finding_events_unpartitioned;
--> statement-breakpoint
CREATE TABLE finding_events_default PARTITION OF finding_events DEFAULT;
--> statement-breakpoint

-- The audit log is append-only: its rows are neither changed nor deleted, unless somebody takes the trigger
-- off, and then `tagwarden audit verify` finds the change. TRUNCATE is left to rights (docs/audit-log.md).
CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
--> statement-breakpoint
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse();
--> statement-breakpoint
-- Also for a session that replays what another server did.
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_append_only;
--> statement-breakpoint

-- The views of schema `reporting`. Written by hand. Names that begin with v1_ are a public interface (docs/reporting.md):
-- columns are added, never renamed or removed. The other views are parts of these.
-- A view reads with the rights of its owner, so a role that may read only this schema sees what the views show and no more.
CREATE SCHEMA IF NOT EXISTS reporting;
--> statement-breakpoint
CREATE INDEX reporting_findings_open_by_severity ON findings ((CASE severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 ELSE 1 END), opened_at, id) WHERE state = 'open';
--> statement-breakpoint
CREATE INDEX reporting_findings_open_by_account ON findings (account_id, id) WHERE state = 'open';
--> statement-breakpoint
CREATE INDEX reporting_findings_open_by_arn ON findings (arn, id) WHERE state = 'open';
--> statement-breakpoint
CREATE INDEX reporting_findings_open_by_key ON findings (key) WHERE state = 'open';
--> statement-breakpoint
-- Most units of most scans check nothing.
CREATE INDEX reporting_scan_units_sampled ON scan_units (finished_at) WHERE readings_sampled > 0;
--> statement-breakpoint
CREATE INDEX reporting_finding_events_by_scan ON finding_events (scan_id, event);
--> statement-breakpoint

-- part ÷ whole, rounded down to three decimals, so that 1 means all; null of nothing.
CREATE FUNCTION reporting.ratio(part bigint, whole bigint) RETURNS double precision
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE WHEN whole > 0 THEN trunc(part::numeric / whole, 3)::double precision END;
--> statement-breakpoint

-- A pattern in which `*` stands for any run of characters, none included, and everything else for itself, as LIKE reads it.
CREATE FUNCTION reporting.like_pattern(pattern text) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN replace(replace(replace(replace(pattern, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%');
--> statement-breakpoint
CREATE FUNCTION reporting.like_patterns(patterns text[]) RETURNS text[]
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN (SELECT array_agg(reporting.like_pattern(pattern)) FROM unnest(patterns) AS pattern);
--> statement-breakpoint
CREATE FUNCTION reporting.like_patterns(patterns jsonb) RETURNS jsonb
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN (SELECT jsonb_object_agg(key, reporting.like_pattern(value)) FROM jsonb_each_text(patterns));
--> statement-breakpoint
-- The list when none of it holds a `*`, else null.
CREATE FUNCTION reporting.exact_only(patterns text[]) RETURNS text[]
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN (SELECT CASE WHEN NOT bool_or(pattern LIKE '%*%') THEN patterns END FROM unnest(patterns) AS pattern);
--> statement-breakpoint

-- The scope of an exemption in the form in which every report asks for it: it is written once, and asked for each open finding.
-- `only_arns`: it names its resources one by one, and nothing else about them.
ALTER TABLE exemptions
  ADD COLUMN only_arns text[] GENERATED ALWAYS AS (CASE WHEN names IS NULL AND tags IS NULL THEN reporting.exact_only(arns) END) STORED,
  ADD COLUMN arns_like text[] GENERATED ALWAYS AS (CASE WHEN names IS NOT NULL OR tags IS NOT NULL OR reporting.exact_only(arns) IS NULL THEN reporting.like_patterns(arns) END) STORED,
  ADD COLUMN names_like text[] GENERATED ALWAYS AS (reporting.like_patterns(names)) STORED,
  ADD COLUMN tags_like jsonb GENERATED ALWAYS AS (reporting.like_patterns(tags)) STORED;
--> statement-breakpoint

-- Exemptions in force at this instant, by the database's clock.
CREATE VIEW reporting.exemptions_in_force AS
SELECT * FROM exemptions WHERE revoked_at IS NULL AND starts_at <= now() AND expires_at > now();
--> statement-breakpoint

-- Whether a finding lies in the part of a scope that the finding itself answers. A null part means any.
-- A single expression, so that the planner puts it into the query in place of the call.
CREATE FUNCTION reporting.lies_in(
    policy_id text, rule_id text, key text, account_id text, region text, type text,
    scope_policy_id text, scope_rule_id text, scope_key text, scope_accounts text[], scope_regions text[], scope_types text[])
  RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN (scope_policy_id IS NULL OR scope_policy_id = policy_id)
    AND (scope_rule_id IS NULL OR scope_rule_id = rule_id)
    AND (scope_key IS NULL OR scope_key = key)
    AND (scope_accounts IS NULL OR account_id = ANY (scope_accounts))
    AND (scope_regions IS NULL OR region = ANY (scope_regions))
    AND (scope_types IS NULL OR type = ANY (scope_types));
--> statement-breakpoint

-- Findings, each with the exemptions that cover it at this instant. Here it is decided, for every report and every repair.
-- Exemptions that name their resources one by one may be many: only findings of those resources look at them (the IN is hashed once
-- a query). The others are looked at by every open finding, so the list of them, and the resource, is read once and kept
-- (MATERIALIZED). What a resource is called and how it is tagged is asked last. Tags that were
-- never read are null, of which nothing IS TRUE: they match nothing.
CREATE VIEW reporting.covered_findings AS
SELECT f.*,
  CASE WHEN f.state = 'open' AND f.arn IN (SELECT unnest(only_arns) FROM reporting.exemptions_in_force)
    THEN ARRAY(
      SELECT e.id FROM reporting.exemptions_in_force e
      WHERE f.arn = ANY (e.only_arns)
        AND reporting.lies_in(f.policy_id, f.rule_id, f.key, f.account_id, f.region, f.type,
          e.policy_id, e.rule_id, e.key, e.accounts, e.regions, e.types))
    ELSE '{}' END
  || CASE WHEN f.state = 'open' AND EXISTS (SELECT FROM reporting.exemptions_in_force WHERE only_arns IS NULL)
    THEN ARRAY(
      WITH wide AS MATERIALIZED (
          SELECT policy_id, rule_id, key, accounts, regions, types, arns_like, names_like, tags_like, id
          FROM reporting.exemptions_in_force WHERE only_arns IS NULL),
        resource AS MATERIALIZED (SELECT name, tags FROM resources WHERE arn = f.arn)
      SELECT e.id FROM wide e
      WHERE reporting.lies_in(f.policy_id, f.rule_id, f.key, f.account_id, f.region, f.type,
          e.policy_id, e.rule_id, e.key, e.accounts, e.regions, e.types)
        AND (e.arns_like IS NULL OR f.arn LIKE ANY (e.arns_like))
        AND (e.names_like IS NULL AND e.tags_like IS NULL OR EXISTS (
          SELECT FROM resource r
          WHERE (e.names_like IS NULL OR r.name LIKE ANY (e.names_like))
            AND (e.tags_like IS NULL OR NOT EXISTS (
              SELECT FROM jsonb_each_text(e.tags_like) AS t WHERE (r.tags ->> t.key LIKE t.value) IS NOT TRUE)))))
    ELSE '{}' END AS exemption_ids
FROM findings f;
--> statement-breakpoint

-- Keys whose values the active policies call sensitive, folded: without case and punctuation, so that a misspelt key is no way around.
CREATE VIEW reporting.sensitive_keys AS
SELECT lower(regexp_replace(r.key, '[^[:alnum:]]', '', 'g')) AS folded
FROM policy_rules r
JOIN policy_sets s ON s.id = r.policy_set_id AND s.active
WHERE r.sensitive AND r.key <> '';
--> statement-breakpoint

-- The live resources with their tags as reports may show them. Masked is the value of a sensitive key, of a key that differs from one
-- only in case or punctuation, and of any key that a finding of a sensitive rule observed on the resource: its aliases, for one.
CREATE VIEW reporting.shown_resources AS
SELECT r.*,
  coalesce(nullif(shown_tags ->> 'Owner', ''), nullif(shown_tags ->> 'owner', ''), nullif(shown_tags ->> 'Team', ''), nullif(shown_tags ->> 'team', '')) AS owner
FROM (
  SELECT r.*,
    CASE WHEN r.tags IS NULL OR NOT EXISTS (
        SELECT FROM policy_rules p JOIN policy_sets s ON s.id = p.policy_set_id AND s.active WHERE p.sensitive)
      THEN r.tags
      ELSE (
        SELECT coalesce(jsonb_object_agg(t.key, CASE
          WHEN lower(regexp_replace(t.key, '[^[:alnum:]]', '', 'g')) IN (SELECT folded FROM reporting.sensitive_keys) OR EXISTS (
            SELECT FROM findings f
            JOIN policy_rules p ON p.policy_id = f.policy_id AND p.rule_id = f.rule_id AND p.sensitive
            JOIN policy_sets s ON s.id = p.policy_set_id AND s.active
            WHERE f.arn = r.arn AND f.detail -> 'observed' ? t.key)
          THEN '***' ELSE t.value END), '{}'::jsonb)
        FROM jsonb_each_text(r.tags) AS t) END AS shown_tags
  FROM resources r
) AS r;
--> statement-breakpoint

CREATE VIEW reporting.v1_findings AS
SELECT
  f.id, f.account_id, f.region, f.type, f.arn, r.name, r.owner,
  f.policy_id, f.rule_id, coalesce(a.title, w.title) AS policy_title, coalesce(a.owner, w.owner) AS policy_owner,
  f.key, f.kind, f.severity,
  CASE f.severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 ELSE 1 END AS severity_rank,
  coalesce(a.sensitive, w.sensitive, false) OR coalesce(w.sensitive, false) AS sensitive,
  CASE WHEN coalesce(a.sensitive, w.sensitive, false) OR coalesce(w.sensitive, false) OR EXISTS (SELECT FROM reporting.sensitive_keys)
    THEN jsonb_set(f.detail, '{observed}', (
      SELECT coalesce(jsonb_object_agg(t.key, CASE
        WHEN coalesce(a.sensitive, w.sensitive, false) OR coalesce(w.sensitive, false) OR lower(regexp_replace(t.key, '[^[:alnum:]]', '', 'g')) IN (SELECT folded FROM reporting.sensitive_keys)
        THEN '***' ELSE t.value END), '{}'::jsonb)
      FROM jsonb_each_text(f.detail -> 'observed') AS t))
    ELSE f.detail END AS detail,
  f.source, f.state,
  CASE WHEN f.state <> 'open' THEN 'resolved' WHEN f.exemption_ids <> '{}' THEN 'exempt' ELSE 'open' END AS effective_status,
  (SELECT max(e.expires_at) FROM exemptions e WHERE e.id = ANY (f.exemption_ids)) AS exempt_until, f.exemption_ids,
  f.resolution, f.opened_at, f.opened_cause, f.first_opened_at, f.resolved_at, f.reopen_count,
  floor(extract(epoch FROM coalesce(f.resolved_at, now()) - f.opened_at))::integer AS age_seconds,
  f.policy_set_id, f.last_scan_id, (SELECT s.version FROM policy_sets s WHERE s.id = f.policy_set_id) AS policy_version
FROM reporting.covered_findings f
LEFT JOIN reporting.shown_resources r ON r.arn = f.arn
LEFT JOIN policy_rules w ON w.policy_set_id = f.policy_set_id AND w.policy_id = f.policy_id AND w.rule_id = f.rule_id
LEFT JOIN policy_rules a ON a.policy_set_id = (SELECT s.id FROM policy_sets s WHERE s.active) AND a.policy_id = f.policy_id AND a.rule_id = f.rule_id;
--> statement-breakpoint

-- The one definition of compliance. Every number of every report counts this column. A finding of Tagwarden itself (`tagwarden`), such
-- as a fight, is not one of the resource: the finding that is fought over decides.
CREATE VIEW reporting.v1_resources AS
SELECT
  r.arn, r.account_id, r.region, r.type, r.name, r.owner,
  CASE
    WHEN r.standing = 'not_applicable' OR upper(r.status) LIKE 'DELETE%' THEN 'not_applicable'
    WHEN EXISTS (SELECT FROM reporting.covered_findings f WHERE f.arn = r.arn AND f.state = 'open' AND f.policy_id <> 'tagwarden' AND f.exemption_ids = '{}') THEN 'noncompliant'
    WHEN r.standing = 'unknown' OR r.reading_error IS NOT NULL OR NOT coalesce(u.listed, false) THEN 'unknown'
    -- Without an exemption in force nothing is left here, and the findings need not be looked at once more.
    WHEN EXISTS (SELECT FROM reporting.exemptions_in_force) AND EXISTS (SELECT FROM findings f WHERE f.arn = r.arn AND f.state = 'open' AND f.policy_id <> 'tagwarden') THEN 'exempt'
    ELSE 'compliant' END AS status,
  r.unknown_reason, r.status AS service_status, r.shown_tags AS tags, r.source, r.tags_read_at, r.reading_error,
  (SELECT max(s.read_at) FROM service_readings s WHERE s.arn = r.arn) AS service_read_at,
  r.stack, r.created_at, r.first_seen_at, r.recorded_at, r.absences,
  u.state AS unit_state, u.listed_at AS unit_listed_at, u.completed_at AS unit_completed_at,
  (SELECT count(*) FROM reporting.covered_findings f WHERE f.arn = r.arn AND f.state = 'open' AND f.exemption_ids = '{}')::integer AS open_findings,
  (SELECT count(*) FROM reporting.covered_findings f WHERE f.arn = r.arn AND f.state = 'open' AND f.exemption_ids <> '{}')::integer AS exempt_findings
FROM reporting.shown_resources r
LEFT JOIN units u ON u.account_id = r.account_id AND u.region = r.region AND u.type = r.type
WHERE r.gone_at IS NULL;
--> statement-breakpoint

-- What the compliance views count: a row for each live resource, each open finding and each unit. A query that says by `what` which
-- of them it wants does not touch the others.
CREATE VIEW reporting.counted AS
SELECT account_id, region, type, owner, status, NULL::text AS effective_status, NULL::boolean AS unit_incomplete, NULL::boolean AS unit_never_read, 'resource' AS what
FROM reporting.v1_resources
UNION ALL
SELECT account_id, region, type, owner, NULL, effective_status, NULL, NULL, 'finding' FROM reporting.v1_findings WHERE state = 'open'
UNION ALL
SELECT account_id, region, type, NULL, NULL, NULL, state IS DISTINCT FROM 'complete', listed_at IS NULL, 'unit' FROM units;
--> statement-breakpoint

CREATE VIEW reporting.v1_compliance_now AS
SELECT
  count(*) FILTER (WHERE status = 'compliant')::integer AS compliant,
  count(*) FILTER (WHERE status = 'noncompliant')::integer AS noncompliant,
  count(*) FILTER (WHERE status = 'exempt')::integer AS exempt,
  count(*) FILTER (WHERE status = 'unknown')::integer AS unknown,
  count(*) FILTER (WHERE status = 'not_applicable')::integer AS not_applicable,
  reporting.ratio(count(*) FILTER (WHERE status = 'compliant'), count(*) FILTER (WHERE status IN ('compliant', 'noncompliant'))) AS ratio,
  CASE WHEN count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt')) > 0 THEN reporting.ratio(count(*) FILTER (WHERE status = 'compliant'), count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt', 'unknown'))) END AS strict_ratio,
  CASE WHEN count(*) FILTER (WHERE unit_never_read) = 0 THEN reporting.ratio(count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt')), count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt', 'unknown'))) END AS coverage,
  count(*) FILTER (WHERE unit_incomplete)::integer AS units_incomplete,
  count(*) FILTER (WHERE unit_never_read)::integer AS units_never_read,
  count(*) FILTER (WHERE effective_status = 'open')::integer AS open_findings,
  count(*) FILTER (WHERE effective_status = 'exempt')::integer AS exempt_findings
FROM reporting.counted;
--> statement-breakpoint

CREATE VIEW reporting.v1_compliance_by_type AS
SELECT type,
  count(*) FILTER (WHERE status = 'compliant')::integer AS compliant,
  count(*) FILTER (WHERE status = 'noncompliant')::integer AS noncompliant,
  count(*) FILTER (WHERE status = 'exempt')::integer AS exempt,
  count(*) FILTER (WHERE status = 'unknown')::integer AS unknown,
  count(*) FILTER (WHERE status = 'not_applicable')::integer AS not_applicable,
  reporting.ratio(count(*) FILTER (WHERE status = 'compliant'), count(*) FILTER (WHERE status IN ('compliant', 'noncompliant'))) AS ratio,
  CASE WHEN count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt')) > 0 THEN reporting.ratio(count(*) FILTER (WHERE status = 'compliant'), count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt', 'unknown'))) END AS strict_ratio,
  CASE WHEN count(*) FILTER (WHERE unit_never_read) = 0 THEN reporting.ratio(count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt')), count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt', 'unknown'))) END AS coverage,
  count(*) FILTER (WHERE unit_incomplete)::integer AS units_incomplete,
  count(*) FILTER (WHERE unit_never_read)::integer AS units_never_read,
  count(*) FILTER (WHERE effective_status = 'open')::integer AS open_findings,
  count(*) FILTER (WHERE effective_status = 'exempt')::integer AS exempt_findings
FROM reporting.counted GROUP BY type;
--> statement-breakpoint

CREATE VIEW reporting.v1_compliance_by_account AS
SELECT account_id,
  count(*) FILTER (WHERE status = 'compliant')::integer AS compliant,
  count(*) FILTER (WHERE status = 'noncompliant')::integer AS noncompliant,
  count(*) FILTER (WHERE status = 'exempt')::integer AS exempt,
  count(*) FILTER (WHERE status = 'unknown')::integer AS unknown,
  count(*) FILTER (WHERE status = 'not_applicable')::integer AS not_applicable,
  reporting.ratio(count(*) FILTER (WHERE status = 'compliant'), count(*) FILTER (WHERE status IN ('compliant', 'noncompliant'))) AS ratio,
  CASE WHEN count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt')) > 0 THEN reporting.ratio(count(*) FILTER (WHERE status = 'compliant'), count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt', 'unknown'))) END AS strict_ratio,
  CASE WHEN count(*) FILTER (WHERE unit_never_read) = 0 THEN reporting.ratio(count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt')), count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt', 'unknown'))) END AS coverage,
  count(*) FILTER (WHERE unit_incomplete)::integer AS units_incomplete,
  count(*) FILTER (WHERE unit_never_read)::integer AS units_never_read,
  count(*) FILTER (WHERE effective_status = 'open')::integer AS open_findings,
  count(*) FILTER (WHERE effective_status = 'exempt')::integer AS exempt_findings
FROM reporting.counted GROUP BY account_id;
--> statement-breakpoint

CREATE VIEW reporting.v1_compliance_by_region AS
SELECT region,
  count(*) FILTER (WHERE status = 'compliant')::integer AS compliant,
  count(*) FILTER (WHERE status = 'noncompliant')::integer AS noncompliant,
  count(*) FILTER (WHERE status = 'exempt')::integer AS exempt,
  count(*) FILTER (WHERE status = 'unknown')::integer AS unknown,
  count(*) FILTER (WHERE status = 'not_applicable')::integer AS not_applicable,
  reporting.ratio(count(*) FILTER (WHERE status = 'compliant'), count(*) FILTER (WHERE status IN ('compliant', 'noncompliant'))) AS ratio,
  CASE WHEN count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt')) > 0 THEN reporting.ratio(count(*) FILTER (WHERE status = 'compliant'), count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt', 'unknown'))) END AS strict_ratio,
  CASE WHEN count(*) FILTER (WHERE unit_never_read) = 0 THEN reporting.ratio(count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt')), count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt', 'unknown'))) END AS coverage,
  count(*) FILTER (WHERE unit_incomplete)::integer AS units_incomplete,
  count(*) FILTER (WHERE unit_never_read)::integer AS units_never_read,
  count(*) FILTER (WHERE effective_status = 'open')::integer AS open_findings,
  count(*) FILTER (WHERE effective_status = 'exempt')::integer AS exempt_findings
FROM reporting.counted GROUP BY region;
--> statement-breakpoint

-- An unread unit may hold resources of any owner: the units counted are all units, for each owner.
CREATE VIEW reporting.v1_compliance_by_owner AS
SELECT owner,
  count(*) FILTER (WHERE status = 'compliant')::integer AS compliant,
  count(*) FILTER (WHERE status = 'noncompliant')::integer AS noncompliant,
  count(*) FILTER (WHERE status = 'exempt')::integer AS exempt,
  count(*) FILTER (WHERE status = 'unknown')::integer AS unknown,
  count(*) FILTER (WHERE status = 'not_applicable')::integer AS not_applicable,
  reporting.ratio(count(*) FILTER (WHERE status = 'compliant'), count(*) FILTER (WHERE status IN ('compliant', 'noncompliant'))) AS ratio,
  CASE WHEN count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt')) > 0 THEN reporting.ratio(count(*) FILTER (WHERE status = 'compliant'), count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt', 'unknown'))) END AS strict_ratio,
  CASE WHEN (SELECT count(*) FROM units u WHERE u.listed_at IS NULL) = 0 THEN reporting.ratio(count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt')), count(*) FILTER (WHERE status IN ('compliant', 'noncompliant', 'exempt', 'unknown'))) END AS coverage,
  (SELECT count(*) FROM units u WHERE u.state IS DISTINCT FROM 'complete')::integer AS units_incomplete,
  (SELECT count(*) FROM units u WHERE u.listed_at IS NULL)::integer AS units_never_read,
  count(*) FILTER (WHERE effective_status = 'open')::integer AS open_findings,
  count(*) FILTER (WHERE effective_status = 'exempt')::integer AS exempt_findings
FROM reporting.counted WHERE unit_incomplete IS NULL GROUP BY owner;
--> statement-breakpoint

CREATE VIEW reporting.v1_compliance_by_rule AS
SELECT
  coalesce(f.policy_id, a.policy_id) AS policy_id, coalesce(f.rule_id, a.rule_id) AS rule_id,
  coalesce(a.title, f.policy_title) AS policy_title, coalesce(a.owner, f.policy_owner) AS policy_owner, a.key,
  coalesce(a.severity, f.severity) AS severity, a.rule_id IS NOT NULL AS active,
  coalesce(f.noncompliant, 0)::integer AS noncompliant, coalesce(f.exempt, 0)::integer AS exempt,
  coalesce(f.open_findings, 0)::integer AS open_findings, coalesce(f.exempt_findings, 0)::integer AS exempt_findings, f.oldest_opened_at
FROM (
  SELECT policy_id, rule_id, max(policy_title) AS policy_title, max(policy_owner) AS policy_owner, max(severity) AS severity,
    count(DISTINCT arn) FILTER (WHERE effective_status = 'open') AS noncompliant,
    count(DISTINCT arn) FILTER (WHERE effective_status = 'exempt') AS exempt,
    count(*) FILTER (WHERE effective_status = 'open') AS open_findings,
    count(*) FILTER (WHERE effective_status = 'exempt') AS exempt_findings,
    min(opened_at) FILTER (WHERE effective_status = 'open') AS oldest_opened_at
  FROM reporting.v1_findings WHERE state = 'open' GROUP BY policy_id, rule_id
) AS f
FULL JOIN (
  SELECT p.* FROM policy_rules p JOIN policy_sets s ON s.id = p.policy_set_id AND s.active
) AS a ON a.policy_id = f.policy_id AND a.rule_id = f.rule_id;
--> statement-breakpoint

CREATE VIEW reporting.v1_compliance_by_key AS
SELECT key,
  count(DISTINCT arn) FILTER (WHERE effective_status = 'open')::integer AS noncompliant,
  count(DISTINCT arn) FILTER (WHERE effective_status = 'exempt')::integer AS exempt,
  count(*) FILTER (WHERE effective_status = 'open')::integer AS open_findings,
  count(*) FILTER (WHERE effective_status = 'exempt')::integer AS exempt_findings,
  min(opened_at) FILTER (WHERE effective_status = 'open') AS oldest_opened_at
FROM reporting.v1_findings WHERE state = 'open' GROUP BY key;
--> statement-breakpoint

CREATE VIEW reporting.v1_units AS
SELECT u.partition, u.account_id, u.region, u.type, u.state, u.listed, u.error,
  CASE WHEN u.listed_at IS NULL THEN 'never_read' WHEN u.state = 'complete' THEN 'complete' ELSE 'incomplete' END AS freshness,
  u.attempted_at, u.listed_at, u.completed_at, u.last_scan_id,
  (SELECT count(*) FROM resources r WHERE r.account_id = u.account_id AND r.region = u.region AND r.type = u.type AND r.gone_at IS NULL)::integer AS resources
FROM units u;
--> statement-breakpoint

CREATE VIEW reporting.v1_scans AS
SELECT s.id, s.state, s.trigger, s.requested_by, s.schedule_id, s.slot, s.confirm_all, s.policy_set_id,
  s.created_at, s.started_at, s.finished_at, s.heartbeat_at,
  extract(epoch FROM s.finished_at - s.started_at)::double precision AS duration_seconds,
  s.stop_requested_at, s.stop_reason, s.stopped_by,
  s.targets, t.targets_ended, s.types, s.warnings,
  c.api_calls,
  s.error,
  CASE WHEN s.state = 'running' AND t.done > 0 THEN extract(epoch FROM now() - s.started_at)::double precision * (1 - t.done) / t.done END AS seconds_left,
  u.units, u.units_ended, u.units_complete, u.resources, u.unread, u.opened, u.reopened, u.changed, u.resolved, u.unchanged, u.held,
  (SELECT p.version FROM policy_sets p WHERE p.id = s.policy_set_id) AS policy_version,
  u.readings_index, u.readings_service, u.readings_stored, u.readings_sampled, u.readings_mismatched,
  (c.api_calls ->> 'total')::double precision / nullif(extract(epoch FROM coalesce(s.finished_at, now()) - s.started_at)::double precision, 0) AS calls_per_second
FROM scans s
CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE st.state = 'ended')::integer AS targets_ended,
    -- Each target weighs what is known to be there, and a little for being asked at all.
    (coalesce(sum(st.expected + 100) FILTER (WHERE st.state = 'ended'), 0) / nullif(sum(st.expected + 100), 0))::double precision AS done
  FROM scan_targets st WHERE st.scan_id = s.id
) AS t
CROSS JOIN LATERAL (
  SELECT count(*)::integer AS units,
    count(*) FILTER (WHERE su.state NOT IN ('pending', 'running'))::integer AS units_ended,
    count(*) FILTER (WHERE su.state = 'complete')::integer AS units_complete,
    coalesce(sum(su.resources), 0)::integer AS resources, coalesce(sum(su.unread), 0)::integer AS unread,
    coalesce(sum(su.opened), 0)::integer AS opened, coalesce(sum(su.reopened), 0)::integer AS reopened,
    coalesce(sum(su.changed), 0)::integer AS changed, coalesce(sum(su.resolved), 0)::integer AS resolved,
    coalesce(sum(su.unchanged), 0)::integer AS unchanged, coalesce(sum(su.held), 0)::integer AS held,
    coalesce(sum(su.readings_index), 0)::integer AS readings_index, coalesce(sum(su.readings_service), 0)::integer AS readings_service,
    coalesce(sum(su.readings_stored), 0)::integer AS readings_stored, coalesce(sum(su.readings_sampled), 0)::integer AS readings_sampled,
    coalesce(sum(su.readings_mismatched), 0)::integer AS readings_mismatched
  FROM scan_units su WHERE su.scan_id = s.id
) AS u
CROSS JOIN LATERAL (
  SELECT CASE WHEN s.finished_at IS NULL THEN coalesce((
    SELECT jsonb_object_agg(c.name, c.calls) FROM (
      SELECT c.key AS name, sum(c.value::bigint) AS calls FROM scan_targets st CROSS JOIN jsonb_each_text(st.api_calls) AS c WHERE st.scan_id = s.id GROUP BY c.key
    ) AS c), '{}') ELSE s.api_calls END AS api_calls
) AS c;
--> statement-breakpoint

CREATE VIEW reporting.v1_scan_targets AS
SELECT scan_id, account_id, region, state, attempts, lease_owner, lease_expires_at, started_at, finished_at, api_calls, warnings
FROM scan_targets;
--> statement-breakpoint

-- A rate of few checks says little: the two counts stand beside it.
CREATE VIEW reporting.v1_index_checks AS
SELECT account_id, region, sum(readings_sampled)::integer AS sampled, sum(readings_mismatched)::integer AS mismatched,
  sum(readings_mismatched)::double precision / sum(readings_sampled) AS mismatch_rate
FROM scan_units
WHERE readings_sampled > 0 AND finished_at > now() - interval '30 days'
GROUP BY account_id, region;
--> statement-breakpoint

CREATE VIEW reporting.v1_index_coverage AS
SELECT account_id, region, type, covered, returned, missing, learned_at FROM index_coverage;
--> statement-breakpoint

-- What an exemption covers is counted in one pass over the open findings, however many exemptions there are.
CREATE VIEW reporting.v1_exemptions AS
SELECT e.*, coalesce(c.findings, 0)::integer AS covered_findings, e.status = 'active' AND c.findings IS NULL AS unused
FROM (
  SELECT id, source, file,
    CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' WHEN starts_at > now() THEN 'pending' ELSE 'active' END AS status,
    policy_id, rule_id, key, accounts, regions, types, names, arns, tags, reason, ticket, requested_by, approved_by,
    created_at, starts_at, expires_at,
    CASE WHEN revoked_at IS NULL AND expires_at > now() THEN floor(extract(epoch FROM expires_at - now()) / 86400)::integer END AS expires_in_days,
    revoked_at, revoked_by, version
  FROM exemptions
) AS e
LEFT JOIN (
  SELECT covering.id, count(*) AS findings
  FROM reporting.covered_findings f CROSS JOIN LATERAL unnest(f.exemption_ids) AS covering(id)
  WHERE f.state = 'open' GROUP BY covering.id
) AS c ON c.id = e.id;
--> statement-breakpoint

CREATE VIEW reporting.v1_finding_events AS
SELECT e.id, e.at, e.event, e.cause, e.finding_id, f.account_id, f.region, f.type, f.arn, f.policy_id, f.rule_id, f.key,
  e.kind, e.severity, coalesce(a.sensitive, w.sensitive, false) OR coalesce(w.sensitive, false) AS sensitive,
  CASE WHEN coalesce(a.sensitive, w.sensitive, false) OR coalesce(w.sensitive, false) OR EXISTS (SELECT FROM reporting.sensitive_keys)
    THEN jsonb_set(e.detail, '{observed}', (
      SELECT coalesce(jsonb_object_agg(t.key, CASE
        WHEN coalesce(a.sensitive, w.sensitive, false) OR coalesce(w.sensitive, false) OR lower(regexp_replace(t.key, '[^[:alnum:]]', '', 'g')) IN (SELECT folded FROM reporting.sensitive_keys)
        THEN '***' ELSE t.value END), '{}'::jsonb)
      FROM jsonb_each_text(e.detail -> 'observed') AS t))
    ELSE e.detail END AS detail,
  e.source, e.policy_set_id, e.scan_id, e.actor,
  (SELECT s.version FROM policy_sets s WHERE s.id = e.policy_set_id) AS policy_version
FROM finding_events e
LEFT JOIN findings f ON f.id = e.finding_id
LEFT JOIN policy_rules w ON w.policy_set_id = e.policy_set_id AND w.policy_id = f.policy_id AND w.rule_id = f.rule_id
LEFT JOIN policy_rules a ON a.policy_set_id = (SELECT s.id FROM policy_sets s WHERE s.active) AND a.policy_id = f.policy_id AND a.rule_id = f.rule_id;
--> statement-breakpoint

CREATE VIEW reporting.v1_policy_activations AS
SELECT a.id, s.version, a.policy_set_id, s.active AND a.id = (SELECT max(id) FROM policy_activations) AS active, a.at, a.actor,
  a.resources, a.renamed, a.opened, a.reopened, a.changed, a.resolved
FROM policy_activations a
JOIN policy_sets s ON s.id = a.policy_set_id;
--> statement-breakpoint

-- Trends. A day without a row is as the one before, so each row is shown for every day until the next, and the newest until today, UTC.
-- They count what was found, whether or not somebody exempted it: what was decided later does not change what a day was like.
CREATE VIEW reporting.v1_trend_by_account AS
SELECT d.day::date AS day, r.account_id, r.compliant, r.violating, r.unknown, r.not_applicable, reporting.ratio(r.compliant, r.compliant + r.violating) AS ratio
FROM (SELECT *, lead(day) OVER (PARTITION BY account_id ORDER BY day) AS next FROM rollup_daily_account) AS r
CROSS JOIN LATERAL generate_series(r.day::timestamp, coalesce(r.next - 1, greatest(r.day, (now() AT TIME ZONE 'UTC')::date))::timestamp, interval '1 day') AS d(day);
--> statement-breakpoint

CREATE VIEW reporting.v1_trend_by_rule AS
SELECT d.day::date AS day, r.account_id, r.policy_id, r.rule_id, r.open,
  CASE WHEN d.day = r.day THEN r.opened ELSE 0 END AS opened, CASE WHEN d.day = r.day THEN r.reopened ELSE 0 END AS reopened,
  CASE WHEN d.day = r.day THEN r.resolved ELSE 0 END AS resolved
FROM (SELECT *, lead(day) OVER (PARTITION BY account_id, policy_id, rule_id ORDER BY day) AS next FROM rollup_daily_account_rule) AS r
CROSS JOIN LATERAL generate_series(r.day::timestamp, coalesce(r.next - 1, greatest(r.day, (now() AT TIME ZONE 'UTC')::date))::timestamp, interval '1 day') AS d(day);
--> statement-breakpoint

-- Whether owners are to be masked: a sensitive rule is about one of the keys that name them, or has observed one.
CREATE VIEW reporting.owner_masking AS
SELECT EXISTS (SELECT FROM reporting.sensitive_keys WHERE folded IN ('owner', 'team')) OR EXISTS (
  SELECT FROM policy_rules p
  JOIN policy_sets s ON s.id = p.policy_set_id AND s.active
  JOIN findings f ON f.policy_id = p.policy_id AND f.rule_id = p.rule_id
  WHERE p.sensitive AND f.detail -> 'observed' ?| ARRAY['Owner', 'owner', 'Team', 'team']) AS masked;
--> statement-breakpoint

CREATE VIEW reporting.v1_trend_by_owner AS
SELECT d.day::date AS day, r.account_id, CASE WHEN m.masked AND r.owner <> '' THEN '***' ELSE nullif(r.owner, '') END AS owner,
  sum(r.open)::integer AS open, coalesce(sum(r.opened) FILTER (WHERE d.day = r.day), 0)::integer AS opened,
  coalesce(sum(r.reopened) FILTER (WHERE d.day = r.day), 0)::integer AS reopened,
  coalesce(sum(r.resolved) FILTER (WHERE d.day = r.day), 0)::integer AS resolved
FROM (SELECT *, lead(day) OVER (PARTITION BY account_id, owner ORDER BY day) AS next FROM rollup_daily_account_owner) AS r
CROSS JOIN reporting.owner_masking AS m
CROSS JOIN LATERAL generate_series(r.day::timestamp, coalesce(r.next - 1, greatest(r.day, (now() AT TIME ZONE 'UTC')::date))::timestamp, interval '1 day') AS d(day)
GROUP BY 1, 2, 3;
--> statement-breakpoint

-- Who did what, each row chained to the one before it.
CREATE VIEW reporting.v1_audit_log AS
SELECT position, at, actor, action, subject, detail::jsonb AS detail, prev_hash, hash FROM audit_log;
--> statement-breakpoint

CREATE VIEW reporting.v1_held_decisions AS
SELECT scan_id, at, decision, actor, units, closures, reason FROM held_decisions;
--> statement-breakpoint

DO $$ BEGIN
  COMMENT ON VIEW reporting.v1_policy_activations IS 'Each time that a set of policies became the active one, and what that changed.';
  COMMENT ON COLUMN reporting.v1_policy_activations.version IS 'Version of the set';
  COMMENT ON COLUMN reporting.v1_policy_activations.active IS 'It is the one by which resources are judged now';
  COMMENT ON COLUMN reporting.v1_findings.policy_version IS 'Version of that set';
  COMMENT ON VIEW reporting.v1_resources IS 'Live resources of the current inventory, one row each, with their compliance.';
  COMMENT ON COLUMN reporting.v1_resources.arn IS 'Amazon Resource Name';
  COMMENT ON COLUMN reporting.v1_resources.account_id IS 'Twelve digits, text';
  COMMENT ON COLUMN reporting.v1_resources.region IS 'Region';
  COMMENT ON COLUMN reporting.v1_resources.type IS 'One of the thirteen resource types';
  COMMENT ON COLUMN reporting.v1_resources.name IS 'Name as listed';
  COMMENT ON COLUMN reporting.v1_resources.owner IS 'First non-empty value of the tags Owner, owner, Team, team; null: nobody is named; *** where that key is sensitive';
  COMMENT ON COLUMN reporting.v1_resources.status IS 'compliant, noncompliant, exempt, unknown or not_applicable: the one definition of compliance';
  COMMENT ON COLUMN reporting.v1_resources.unknown_reason IS 'Why the tags or a rule could not be judged';
  COMMENT ON COLUMN reporting.v1_resources.service_status IS 'Status as Amazon Personalize spells it';
  COMMENT ON COLUMN reporting.v1_resources.tags IS 'As last read, aws: keys included, sensitive values masked; null: never read, which is not none';
  COMMENT ON COLUMN reporting.v1_resources.source IS 'index or service: where the tags came from';
  COMMENT ON COLUMN reporting.v1_resources.tags_read_at IS 'When the tags were first read as they are now';
  COMMENT ON COLUMN reporting.v1_resources.reading_error IS 'Error of the last attempt to read the tags; null: it did not fail';
  COMMENT ON COLUMN reporting.v1_resources.service_read_at IS 'When the service itself was last asked and answered';
  COMMENT ON COLUMN reporting.v1_resources.stack IS 'CloudFormation stack that manages it';
  COMMENT ON COLUMN reporting.v1_resources.created_at IS 'Creation as listed';
  COMMENT ON COLUMN reporting.v1_resources.first_seen_at IS 'First scan that listed it';
  COMMENT ON COLUMN reporting.v1_resources.recorded_at IS 'Last change of this row';
  COMMENT ON COLUMN reporting.v1_resources.absences IS 'Complete scans in a row that did not list it';
  COMMENT ON COLUMN reporting.v1_resources.unit_state IS 'How the last attempt to read its unit ended';
  COMMENT ON COLUMN reporting.v1_resources.unit_listed_at IS 'Last time the list of its unit reached its end';
  COMMENT ON COLUMN reporting.v1_resources.unit_completed_at IS 'Last time its unit was complete';
  COMMENT ON COLUMN reporting.v1_resources.open_findings IS 'Open findings that are not exempt';
  COMMENT ON COLUMN reporting.v1_resources.exempt_findings IS 'Open findings that are exempt';
  COMMENT ON VIEW reporting.v1_findings IS 'Findings, one row for each (resource, rule, tag key) that is or was in violation.';
  COMMENT ON COLUMN reporting.v1_findings.id IS 'SHA-256 of account, ARN, policy, rule and key';
  COMMENT ON COLUMN reporting.v1_findings.name IS 'Name of the resource';
  COMMENT ON COLUMN reporting.v1_findings.owner IS 'Owner of the resource, as in v1_resources';
  COMMENT ON COLUMN reporting.v1_findings.policy_title IS 'Title of the policy';
  COMMENT ON COLUMN reporting.v1_findings.policy_owner IS 'Who answers for the policy';
  COMMENT ON COLUMN reporting.v1_findings.key IS 'Canonical tag key; empty where the rule is about the tag set';
  COMMENT ON COLUMN reporting.v1_findings.kind IS 'missing, invalid, variant, forbidden, too_many or assertion';
  COMMENT ON COLUMN reporting.v1_findings.severity IS 'low, medium, high or critical';
  COMMENT ON COLUMN reporting.v1_findings.severity_rank IS '1 (low) to 4 (critical)';
  COMMENT ON COLUMN reporting.v1_findings.sensitive IS 'The values are masked';
  COMMENT ON COLUMN reporting.v1_findings.detail IS 'message, observed (key to value, masked where sensitive), expected';
  COMMENT ON COLUMN reporting.v1_findings.source IS 'Reading that showed it: index or service';
  COMMENT ON COLUMN reporting.v1_findings.state IS 'open or resolved, as scans see it';
  COMMENT ON COLUMN reporting.v1_findings.effective_status IS 'open, exempt (open, and an exemption is in force now) or resolved';
  COMMENT ON COLUMN reporting.v1_findings.exempt_until IS 'Latest expiry of the exemptions that cover it now';
  COMMENT ON COLUMN reporting.v1_findings.exemption_ids IS 'Exemptions that cover it now; empty: none does';
  COMMENT ON COLUMN reporting.v1_findings.resolution IS 'Why it is resolved';
  COMMENT ON COLUMN reporting.v1_findings.opened_at IS 'Start of the current episode';
  COMMENT ON COLUMN reporting.v1_findings.opened_cause IS 'Why the current episode began';
  COMMENT ON COLUMN reporting.v1_findings.first_opened_at IS 'First time it was opened';
  COMMENT ON COLUMN reporting.v1_findings.resolved_at IS 'End of the episode';
  COMMENT ON COLUMN reporting.v1_findings.reopen_count IS 'Times it came back';
  COMMENT ON COLUMN reporting.v1_findings.age_seconds IS 'From opened_at to resolved_at, or to now';
  COMMENT ON COLUMN reporting.v1_findings.policy_set_id IS 'Set of policies that says so';
  COMMENT ON COLUMN reporting.v1_findings.last_scan_id IS 'Scan that last changed it';
  COMMENT ON VIEW reporting.v1_compliance_now IS 'Compliance of everything in scope, one row.';
  COMMENT ON COLUMN reporting.v1_compliance_now.compliant IS 'Resources without an open finding';
  COMMENT ON COLUMN reporting.v1_compliance_now.noncompliant IS 'Resources with an open finding that is not exempt';
  COMMENT ON COLUMN reporting.v1_compliance_now.exempt IS 'Resources whose open findings are all exempt';
  COMMENT ON COLUMN reporting.v1_compliance_now.unknown IS 'Resources that could not be read or judged: never a pass';
  COMMENT ON COLUMN reporting.v1_compliance_now.not_applicable IS 'Resources under no rule, or being deleted';
  COMMENT ON COLUMN reporting.v1_compliance_now.ratio IS 'compliant / (compliant + noncompliant), rounded down to three decimals; null: nothing evaluated';
  COMMENT ON COLUMN reporting.v1_compliance_now.strict_ratio IS 'compliant / all but not_applicable, rounded down';
  COMMENT ON COLUMN reporting.v1_compliance_now.coverage IS 'Share of resources in scope that are not unknown; null while a unit was never read';
  COMMENT ON COLUMN reporting.v1_compliance_now.units_incomplete IS 'Units whose last attempt was not complete';
  COMMENT ON COLUMN reporting.v1_compliance_now.units_never_read IS 'Units never listed to the end';
  COMMENT ON COLUMN reporting.v1_compliance_now.open_findings IS 'Open findings that are not exempt';
  COMMENT ON COLUMN reporting.v1_compliance_now.exempt_findings IS 'Open findings that are exempt';
  COMMENT ON VIEW reporting.v1_compliance_by_type IS 'Compliance for each resource type, columns as in v1_compliance_now.';
  COMMENT ON VIEW reporting.v1_compliance_by_account IS 'Compliance for each account, columns as in v1_compliance_now.';
  COMMENT ON VIEW reporting.v1_compliance_by_region IS 'Compliance for each region, columns as in v1_compliance_now.';
  COMMENT ON VIEW reporting.v1_compliance_by_owner IS 'Compliance for each owner, columns as in v1_compliance_now; owner null: nobody is named.';
  COMMENT ON VIEW reporting.v1_compliance_by_rule IS 'Open findings for each active rule, those without any included, and for each other rule that still has some.';
  COMMENT ON COLUMN reporting.v1_compliance_by_rule.key IS 'Canonical tag key of the rule; null where it is about the tag set';
  COMMENT ON COLUMN reporting.v1_compliance_by_rule.severity IS 'Severity of the rule';
  COMMENT ON COLUMN reporting.v1_compliance_by_rule.active IS 'The rule is in the active set';
  COMMENT ON COLUMN reporting.v1_compliance_by_rule.noncompliant IS 'Resources with an open finding of it';
  COMMENT ON COLUMN reporting.v1_compliance_by_rule.exempt IS 'Resources with an exempt finding of it';
  COMMENT ON COLUMN reporting.v1_compliance_by_rule.oldest_opened_at IS 'Start of its oldest open finding';
  COMMENT ON VIEW reporting.v1_compliance_by_key IS 'Open findings for each tag key; the empty key stands for rules about the tag set.';
  COMMENT ON COLUMN reporting.v1_compliance_by_key.key IS 'Canonical tag key';
  COMMENT ON COLUMN reporting.v1_compliance_by_key.noncompliant IS 'Resources with an open finding of it';
  COMMENT ON COLUMN reporting.v1_compliance_by_key.exempt IS 'Resources with an exempt finding of it';
  COMMENT ON VIEW reporting.v1_units IS 'Units (account, region, type) ever in scope, and how the last attempt to read each ended.';
  COMMENT ON COLUMN reporting.v1_units.state IS 'complete, partial, denied or failed; null: never attempted to its end';
  COMMENT ON COLUMN reporting.v1_units.listed IS 'The last list reached its last page';
  COMMENT ON COLUMN reporting.v1_units.error IS 'Why not';
  COMMENT ON COLUMN reporting.v1_units.freshness IS 'complete, incomplete or never_read';
  COMMENT ON COLUMN reporting.v1_units.attempted_at IS 'Last attempt';
  COMMENT ON COLUMN reporting.v1_units.listed_at IS 'Last time the list reached its end';
  COMMENT ON COLUMN reporting.v1_units.completed_at IS 'Last time it was complete';
  COMMENT ON COLUMN reporting.v1_units.resources IS 'Live resources';
  COMMENT ON VIEW reporting.v1_scans IS 'Scans, newest by created_at, with the sums over their units.';
  COMMENT ON COLUMN reporting.v1_scans.targets IS 'Targets of the scan';
  COMMENT ON COLUMN reporting.v1_scans.targets_ended IS 'Targets on which the work has ended';
  COMMENT ON COLUMN reporting.v1_scans.seconds_left IS 'Of a running scan, estimated by the targets that have ended and what is known to be in the others; null before one has';
  COMMENT ON COLUMN reporting.v1_scans.stop_requested_at IS 'When somebody wanted its end before it was done';
  COMMENT ON COLUMN reporting.v1_scans.stop_reason IS 'cancelled or timed_out';
  COMMENT ON COLUMN reporting.v1_scans.stopped_by IS 'Who cancelled it';
  COMMENT ON COLUMN reporting.v1_scans.units IS 'Units of the scan';
  COMMENT ON COLUMN reporting.v1_scans.units_ended IS 'Units that ended, however';
  COMMENT ON COLUMN reporting.v1_scans.units_complete IS 'Units read completely';
  COMMENT ON COLUMN reporting.v1_scans.duration_seconds IS 'From start to end';
  COMMENT ON COLUMN reporting.v1_scans.api_calls IS 'total, throttled and a count for each operation';
  COMMENT ON COLUMN reporting.v1_scans.calls_per_second IS 'Calls of AWS, each attempt, in the mean since its start';
  COMMENT ON COLUMN reporting.v1_scans.unread IS 'Resources whose tags could not be read';
  COMMENT ON COLUMN reporting.v1_scans.held IS 'Closures that wait for confirmation';
  COMMENT ON COLUMN reporting.v1_scans.readings_index IS 'Readings of tags for which the index was believed';
  COMMENT ON COLUMN reporting.v1_scans.readings_service IS 'Readings for which the service was asked';
  COMMENT ON COLUMN reporting.v1_scans.readings_stored IS 'Readings for which a stored one of the service stood';
  COMMENT ON COLUMN reporting.v1_scans.readings_sampled IS 'Of those from the service, those that checked an answer of the index that would have been believed';
  COMMENT ON COLUMN reporting.v1_scans.readings_mismatched IS 'Of these, those where the index was wrong';
  COMMENT ON VIEW reporting.v1_index_checks IS 'How often the tag index was wrong, for each account and region, in the last 30 days.';
  COMMENT ON COLUMN reporting.v1_index_checks.sampled IS 'Answers of the index that would have been believed and were checked with the service';
  COMMENT ON COLUMN reporting.v1_index_checks.mismatched IS 'Of these, those with other user tags than the service says';
  COMMENT ON COLUMN reporting.v1_index_checks.mismatch_rate IS 'mismatched / sampled';
  COMMENT ON VIEW reporting.v1_index_coverage IS 'What was learned about which types the tag index covers, for each account and region.';
  COMMENT ON COLUMN reporting.v1_index_coverage.covered IS 'false: the index is not asked about this type for 6 to 8 days after learned_at';
  COMMENT ON COLUMN reporting.v1_index_coverage.returned IS 'Resources that the index returned, in the scan that taught it';
  COMMENT ON COLUMN reporting.v1_index_coverage.missing IS 'Resources that it should have returned and did not';
  COMMENT ON COLUMN reporting.v1_index_coverage.learned_at IS 'When the index was last asked and this was the result';
  COMMENT ON VIEW reporting.v1_scan_targets IS 'Accounts and regions of a scan, each with who works on it.';
  COMMENT ON COLUMN reporting.v1_scan_targets.state IS 'queued, running, ended or cancelled';
  COMMENT ON COLUMN reporting.v1_scan_targets.attempts IS 'How often a process took it and neither ended it nor gave it back';
  COMMENT ON COLUMN reporting.v1_scan_targets.lease_owner IS 'Who works on it: host, process and a random part; null: nobody';
  COMMENT ON COLUMN reporting.v1_scan_targets.lease_expires_at IS 'After it another process may take it, unless whoever has it gives a sign of life';
  COMMENT ON COLUMN reporting.v1_scan_targets.api_calls IS 'total, throttled and a count for each operation, of all attempts';
  COMMENT ON VIEW reporting.v1_exemptions IS 'Decisions to accept violations for a time, those that are over included.';
  COMMENT ON COLUMN reporting.v1_exemptions.id IS 'As written in its file, else a UUIDv7';
  COMMENT ON COLUMN reporting.v1_exemptions.source IS 'file, api or cli: where it was decided, and where it can be changed';
  COMMENT ON COLUMN reporting.v1_exemptions.file IS 'The file that says so, below the policies folder; null: none does';
  COMMENT ON COLUMN reporting.v1_exemptions.status IS 'active, pending (still to begin), expired or revoked, at this instant';
  COMMENT ON COLUMN reporting.v1_exemptions.policy_id IS 'Policy of the findings; null: any';
  COMMENT ON COLUMN reporting.v1_exemptions.rule_id IS 'Rule of the findings; null: any';
  COMMENT ON COLUMN reporting.v1_exemptions.key IS 'Tag key that the findings are about; null: any';
  COMMENT ON COLUMN reporting.v1_exemptions.accounts IS 'Accounts; null: any';
  COMMENT ON COLUMN reporting.v1_exemptions.regions IS 'Regions; null: any';
  COMMENT ON COLUMN reporting.v1_exemptions.types IS 'Resource types; null: any';
  COMMENT ON COLUMN reporting.v1_exemptions.names IS 'Patterns of names of resources, * is a wildcard; null: any';
  COMMENT ON COLUMN reporting.v1_exemptions.arns IS 'Patterns of ARNs, * is a wildcard; null: any';
  COMMENT ON COLUMN reporting.v1_exemptions.tags IS 'Tags that the resource has, key to pattern of the value, all of them; null: any';
  COMMENT ON COLUMN reporting.v1_exemptions.reason IS 'Why the violation is accepted';
  COMMENT ON COLUMN reporting.v1_exemptions.ticket IS 'Where it was decided';
  COMMENT ON COLUMN reporting.v1_exemptions.requested_by IS 'Who asked for it, as told';
  COMMENT ON COLUMN reporting.v1_exemptions.approved_by IS 'Who accepted it, as told';
  COMMENT ON COLUMN reporting.v1_exemptions.created_at IS 'First recorded';
  COMMENT ON COLUMN reporting.v1_exemptions.starts_at IS 'From here on it covers; an extension begins anew';
  COMMENT ON COLUMN reporting.v1_exemptions.expires_at IS 'From here on it covers nothing';
  COMMENT ON COLUMN reporting.v1_exemptions.expires_in_days IS 'Whole days until it expires; null: it is over';
  COMMENT ON COLUMN reporting.v1_exemptions.revoked_at IS 'When it was revoked';
  COMMENT ON COLUMN reporting.v1_exemptions.revoked_by IS 'Who revoked it';
  COMMENT ON COLUMN reporting.v1_exemptions.version IS 'Rises with every change';
  COMMENT ON COLUMN reporting.v1_exemptions.covered_findings IS 'Open findings that it covers now';
  COMMENT ON COLUMN reporting.v1_exemptions.unused IS 'It is active and covers no open finding';
  COMMENT ON VIEW reporting.v1_finding_events IS 'History of findings, append-only.';
  COMMENT ON COLUMN reporting.v1_finding_events.at IS 'When';
  COMMENT ON COLUMN reporting.v1_finding_events.event IS 'opened, changed, reopened or resolved';
  COMMENT ON COLUMN reporting.v1_finding_events.cause IS 'Why';
  COMMENT ON COLUMN reporting.v1_finding_events.finding_id IS 'Finding in v1_findings';
  COMMENT ON COLUMN reporting.v1_finding_events.detail IS 'As v1_findings.detail, at that time';
  COMMENT ON COLUMN reporting.v1_finding_events.scan_id IS 'Scan that saw it';
  COMMENT ON COLUMN reporting.v1_finding_events.actor IS 'Who, when it was not a scan';
  COMMENT ON VIEW reporting.v1_trend_by_account IS 'Live resources of an account by how they stood at the end of each day, exempt or not.';
  COMMENT ON COLUMN reporting.v1_trend_by_account.day IS 'Day, UTC';
  COMMENT ON COLUMN reporting.v1_trend_by_account.compliant IS 'Judged, without an open finding';
  COMMENT ON COLUMN reporting.v1_trend_by_account.violating IS 'With an open finding, exempt or not';
  COMMENT ON COLUMN reporting.v1_trend_by_account.unknown IS 'Could not be read or judged, and without an open finding';
  COMMENT ON COLUMN reporting.v1_trend_by_account.ratio IS 'compliant ÷ (compliant + violating), rounded down; null: nothing was judged';
  COMMENT ON VIEW reporting.v1_trend_by_rule IS 'Findings of an account by rule and day, exempt or not.';
  COMMENT ON COLUMN reporting.v1_trend_by_rule.day IS 'Day, UTC';
  COMMENT ON COLUMN reporting.v1_trend_by_rule.open IS 'Open at the end of the day';
  COMMENT ON COLUMN reporting.v1_trend_by_rule.opened IS 'Opened for the first time on that day';
  COMMENT ON COLUMN reporting.v1_trend_by_rule.reopened IS 'Opened again on that day';
  COMMENT ON COLUMN reporting.v1_trend_by_rule.resolved IS 'Resolved on that day';
  COMMENT ON VIEW reporting.v1_trend_by_owner IS 'Findings of an account by owner of the resource and day, exempt or not.';
  COMMENT ON COLUMN reporting.v1_trend_by_owner.day IS 'Day, UTC';
  COMMENT ON COLUMN reporting.v1_trend_by_owner.owner IS 'As the tags had it then; null: nobody was named; *** where a key that names owners is sensitive now';
  COMMENT ON VIEW reporting.v1_held_decisions IS 'What people decided about closures that a scan held, append-only.';
  COMMENT ON COLUMN reporting.v1_held_decisions.scan_id IS 'Scan that held them';
  COMMENT ON COLUMN reporting.v1_held_decisions.decision IS 'confirmed or rejected';
  COMMENT ON COLUMN reporting.v1_held_decisions.actor IS 'Who decided';
  COMMENT ON COLUMN reporting.v1_held_decisions.units IS 'Units in which something was held';
  COMMENT ON COLUMN reporting.v1_held_decisions.closures IS 'Findings that were closed, or that stay open';
  COMMENT ON COLUMN reporting.v1_held_decisions.reason IS 'Why, as told';
  COMMENT ON VIEW reporting.v1_audit_log IS 'Who did what, when: append-only, each row chained to the one before it by its hash.';
  COMMENT ON COLUMN reporting.v1_audit_log.position IS '1, 2, 3 … without gaps';
  COMMENT ON COLUMN reporting.v1_audit_log.actor IS 'Who, as told';
  COMMENT ON COLUMN reporting.v1_audit_log.action IS 'What was done, such as plan.approved';
  COMMENT ON COLUMN reporting.v1_audit_log.subject IS 'What it was done to: an id or an ARN';
  COMMENT ON COLUMN reporting.v1_audit_log.detail IS 'Keys, counts, hashes, states and reasons; never the value of a tag';
  COMMENT ON COLUMN reporting.v1_audit_log.prev_hash IS 'hash of the row before; of the first row 64 zeros';
  COMMENT ON COLUMN reporting.v1_audit_log.hash IS 'SHA-256 over all other columns';
END $$;
