-- The views of schema `reporting`. Written by hand. Names that begin with v1_ are a public interface (docs/reporting.md):
-- columns are added, never renamed or removed. The other views are parts of these.
-- A view reads with the rights of its owner, so a role that may read only this schema sees what the views show and no more.
CREATE SCHEMA IF NOT EXISTS reporting;
--> statement-breakpoint
CREATE INDEX findings_open_by_severity ON findings ((CASE severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 ELSE 1 END), opened_at, id) WHERE state = 'open';
--> statement-breakpoint
CREATE INDEX findings_open_by_account ON findings (account_id, id) WHERE state = 'open';
--> statement-breakpoint
CREATE INDEX findings_open_by_arn ON findings (arn, id) WHERE state = 'open';
--> statement-breakpoint
CREATE INDEX findings_open_by_key ON findings (key) WHERE state = 'open';
--> statement-breakpoint
CREATE INDEX finding_events_by_scan ON finding_events (scan_id, event);
--> statement-breakpoint
CREATE INDEX plans_by_scan ON plans (scan_id);
--> statement-breakpoint
CREATE INDEX exemptions_by_arn ON exemptions (arn);
--> statement-breakpoint

-- part ÷ whole, rounded down to three decimals, so that 1 means all; null of nothing.
CREATE FUNCTION reporting.ratio(part bigint, whole bigint) RETURNS double precision
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE WHEN whole > 0 THEN trunc(part::numeric / whole, 3)::double precision END;
--> statement-breakpoint

-- Exemptions in force at this instant. Everything that asks whether something is exempt asks here.
CREATE VIEW reporting.exemptions_in_force AS
SELECT id, policy_id, rule_id, key, account_id, type, arn, expires_at
FROM exemptions
WHERE NOT revoked AND expires_at > now();
--> statement-breakpoint

-- Keys whose values the active policies call sensitive, folded: without case and punctuation, so that a misspelt key is no way around.
CREATE VIEW reporting.sensitive_keys AS
SELECT lower(regexp_replace(r.key, '[^[:alnum:]]', '', 'g')) AS folded
FROM policy_rules r
JOIN policy_sets s ON s.id = r.policy_set_id AND s.active
WHERE r.sensitive AND r.key <> '';
--> statement-breakpoint

-- Whether a rule's values are masked: the rule says so now, or it said so when the row was written.
CREATE VIEW reporting.v1_findings AS
SELECT
  f.id, f.account_id, f.region, f.type, f.arn, r.name, o.owner,
  f.policy_id, f.rule_id, coalesce(a.title, w.title) AS policy_title, coalesce(a.owner, w.owner) AS policy_owner,
  f.key, f.kind, f.severity,
  CASE f.severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 ELSE 1 END AS severity_rank,
  coalesce(a.sensitive, false) OR coalesce(w.sensitive, false) AS sensitive,
  CASE WHEN coalesce(a.sensitive, false) OR coalesce(w.sensitive, false) OR EXISTS (SELECT FROM reporting.sensitive_keys)
    THEN jsonb_set(f.detail, '{observed}', (
      SELECT coalesce(jsonb_object_agg(t.key, CASE
        WHEN coalesce(a.sensitive, false) OR coalesce(w.sensitive, false)
          OR lower(regexp_replace(t.key, '[^[:alnum:]]', '', 'g')) IN (SELECT folded FROM reporting.sensitive_keys)
        THEN '***' ELSE t.value END), '{}'::jsonb)
      FROM jsonb_each_text(f.detail -> 'observed') AS t))
    ELSE f.detail END AS detail,
  f.source, f.state,
  CASE
    WHEN f.state <> 'open' THEN 'resolved'
    WHEN EXISTS (SELECT FROM reporting.exemptions_in_force) AND EXISTS (
      SELECT FROM reporting.exemptions_in_force e
      WHERE (e.arn IS NULL OR e.arn = f.arn) AND (e.policy_id IS NULL OR e.policy_id = f.policy_id)
        AND (e.rule_id IS NULL OR e.rule_id = f.rule_id) AND (e.key IS NULL OR e.key = f.key)
        AND (e.account_id IS NULL OR e.account_id = f.account_id) AND (e.type IS NULL OR e.type = f.type)) THEN 'exempt'
    ELSE 'open' END AS effective_status,
  CASE WHEN f.state = 'open' AND EXISTS (SELECT FROM reporting.exemptions_in_force) THEN (
      SELECT max(e.expires_at) FROM reporting.exemptions_in_force e
      WHERE (e.arn IS NULL OR e.arn = f.arn) AND (e.policy_id IS NULL OR e.policy_id = f.policy_id)
        AND (e.rule_id IS NULL OR e.rule_id = f.rule_id) AND (e.key IS NULL OR e.key = f.key)
        AND (e.account_id IS NULL OR e.account_id = f.account_id) AND (e.type IS NULL OR e.type = f.type)) END AS exempt_until,
  f.resolution, f.opened_at, f.opened_cause, f.first_opened_at, f.resolved_at, f.reopen_count,
  floor(extract(epoch FROM coalesce(f.resolved_at, now()) - f.opened_at))::integer AS age_seconds,
  f.policy_set_id, f.last_scan_id
FROM findings f
LEFT JOIN resources r ON r.arn = f.arn
LEFT JOIN policy_rules w ON w.policy_set_id = f.policy_set_id AND w.policy_id = f.policy_id AND w.rule_id = f.rule_id
LEFT JOIN policy_rules a ON a.policy_set_id = (SELECT s.id FROM policy_sets s WHERE s.active) AND a.policy_id = f.policy_id AND a.rule_id = f.rule_id
LEFT JOIN reporting.owners o ON o.arn = f.arn;
