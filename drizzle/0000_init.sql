CREATE TABLE "audit_log" (
	"position" bigint PRIMARY KEY NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"subject" text NOT NULL,
	"detail" json NOT NULL,
	"prev_hash" text NOT NULL,
	"hash" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "exemption_events" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "exemption_events_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"exemption_id" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"event" text NOT NULL,
	"actor" text NOT NULL,
	"version" integer NOT NULL,
	"before" jsonb,
	"after" jsonb,
	"note" text
);
--> statement-breakpoint
CREATE TABLE "exemptions" (
	"id" text PRIMARY KEY NOT NULL,
	"source" text NOT NULL,
	"file" text,
	"policy_id" text,
	"rule_id" text,
	"key" text,
	"accounts" text[],
	"regions" text[],
	"types" text[],
	"names" text[],
	"arns" text[],
	"tags" jsonb,
	"reason" text NOT NULL,
	"ticket" text,
	"requested_by" text NOT NULL,
	"approved_by" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"starts_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"revoked_at" timestamp with time zone,
	"revoked_by" text,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "exemptions_have_a_scope" CHECK (num_nonnulls(policy_id, rule_id, key, accounts, regions, types, names, arns, tags) > 0),
	CONSTRAINT "exemptions_end_after_they_begin" CHECK (expires_at > starts_at),
	CONSTRAINT "exemptions_last_at_most_180_days" CHECK ((expires_at at time zone 'UTC') <= ((starts_at at time zone 'UTC')::date + 181)::timestamp),
	CONSTRAINT "exemptions_revoked_by_someone" CHECK ((revoked_at is null) = (revoked_by is null))
);
--> statement-breakpoint
CREATE TABLE "finding_events" (
	"id" bigint GENERATED ALWAYS AS IDENTITY (sequence name "finding_events_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"finding_id" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"event" text NOT NULL,
	"cause" text NOT NULL,
	"kind" text NOT NULL,
	"severity" text NOT NULL,
	"detail" jsonb NOT NULL,
	"source" text,
	"policy_set_id" text NOT NULL,
	"scan_id" uuid,
	"actor" text,
	CONSTRAINT "finding_events_id_at_pk" PRIMARY KEY("id","at")
);
--> statement-breakpoint
CREATE TABLE "findings" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"region" text NOT NULL,
	"type" text NOT NULL,
	"arn" text NOT NULL,
	"policy_id" text NOT NULL,
	"rule_id" text NOT NULL,
	"key" text NOT NULL,
	"kind" text NOT NULL,
	"severity" text NOT NULL,
	"detail" jsonb NOT NULL,
	"policy_set_id" text NOT NULL,
	"source" text NOT NULL,
	"state" text NOT NULL,
	"resolution" text,
	"opened_at" timestamp with time zone NOT NULL,
	"opened_cause" text NOT NULL,
	"first_opened_at" timestamp with time zone NOT NULL,
	"resolved_at" timestamp with time zone,
	"reopen_count" integer DEFAULT 0 NOT NULL,
	"reverts" integer DEFAULT 0 NOT NULL,
	"reverted_at" timestamp with time zone,
	"last_scan_id" uuid
);
--> statement-breakpoint
CREATE TABLE "held_closures" (
	"scan_id" uuid NOT NULL,
	"finding_id" text NOT NULL,
	"account_id" text NOT NULL,
	"region" text NOT NULL,
	"type" text NOT NULL,
	"resolution" text NOT NULL,
	"held_at" timestamp with time zone NOT NULL,
	CONSTRAINT "held_closures_scan_id_finding_id_pk" PRIMARY KEY("scan_id","finding_id")
);
--> statement-breakpoint
CREATE TABLE "held_decisions" (
	"scan_id" uuid NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"decision" text NOT NULL,
	"actor" text NOT NULL,
	"units" integer NOT NULL,
	"closures" integer NOT NULL,
	"reason" text,
	CONSTRAINT "held_decisions_scan_id_at_pk" PRIMARY KEY("scan_id","at")
);
--> statement-breakpoint
CREATE TABLE "rollup_daily_account" (
	"day" date NOT NULL,
	"account_id" text NOT NULL,
	"compliant" integer DEFAULT 0 NOT NULL,
	"violating" integer DEFAULT 0 NOT NULL,
	"unknown" integer DEFAULT 0 NOT NULL,
	"not_applicable" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "rollup_daily_account_account_id_day_pk" PRIMARY KEY("account_id","day")
);
--> statement-breakpoint
CREATE TABLE "rollup_daily_account_owner" (
	"day" date NOT NULL,
	"account_id" text NOT NULL,
	"owner" text NOT NULL,
	"open" integer DEFAULT 0 NOT NULL,
	"opened" integer DEFAULT 0 NOT NULL,
	"reopened" integer DEFAULT 0 NOT NULL,
	"resolved" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "rollup_daily_account_owner_account_id_owner_day_pk" PRIMARY KEY("account_id","owner","day")
);
--> statement-breakpoint
CREATE TABLE "rollup_daily_account_rule" (
	"day" date NOT NULL,
	"account_id" text NOT NULL,
	"policy_id" text NOT NULL,
	"rule_id" text NOT NULL,
	"open" integer DEFAULT 0 NOT NULL,
	"opened" integer DEFAULT 0 NOT NULL,
	"reopened" integer DEFAULT 0 NOT NULL,
	"resolved" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "rollup_daily_account_rule_account_id_policy_id_rule_id_day_pk" PRIMARY KEY("account_id","policy_id","rule_id","day")
);
--> statement-breakpoint
CREATE TABLE "unit_tallies" (
	"account_id" text NOT NULL,
	"region" text NOT NULL,
	"type" text NOT NULL,
	"compliant" integer DEFAULT 0 NOT NULL,
	"violating" integer DEFAULT 0 NOT NULL,
	"unknown" integer DEFAULT 0 NOT NULL,
	"not_applicable" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "unit_tallies_account_id_region_type_pk" PRIMARY KEY("account_id","region","type")
);
--> statement-breakpoint
CREATE TABLE "accounts" (
	"account_id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"tags" jsonb NOT NULL,
	"read_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "index_coverage" (
	"account_id" text NOT NULL,
	"region" text NOT NULL,
	"type" text NOT NULL,
	"covered" boolean NOT NULL,
	"returned" integer NOT NULL,
	"missing" integer NOT NULL,
	"learned_at" timestamp with time zone NOT NULL,
	CONSTRAINT "index_coverage_account_id_region_type_pk" PRIMARY KEY("account_id","region","type")
);
--> statement-breakpoint
CREATE TABLE "organization_members" (
	"account_id" text PRIMARY KEY NOT NULL
);
--> statement-breakpoint
CREATE TABLE "parents" (
	"arn" text PRIMARY KEY NOT NULL,
	"parent_arn" text NOT NULL,
	"source" text NOT NULL,
	"read_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone,
	"updated_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "resources" (
	"arn" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"region" text NOT NULL,
	"type" text NOT NULL,
	"name" text NOT NULL,
	"status" text NOT NULL,
	"created_at" timestamp with time zone,
	"updated_at" timestamp with time zone,
	"summary" jsonb NOT NULL,
	"tags" jsonb,
	"source" text,
	"tags_read_at" timestamp with time zone,
	"in_index" boolean NOT NULL,
	"reading_error" jsonb,
	"standing" text NOT NULL,
	"unknown_reason" text,
	"stack" text,
	"absences" integer DEFAULT 0 NOT NULL,
	"gone_at" timestamp with time zone,
	"first_seen_at" timestamp with time zone NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL,
	"recorded_scan_id" uuid,
	"digest" text
);
--> statement-breakpoint
CREATE TABLE "scan_units" (
	"scan_id" uuid NOT NULL,
	"account_id" text NOT NULL,
	"region" text NOT NULL,
	"type" text NOT NULL,
	"state" text NOT NULL,
	"listed" boolean DEFAULT false NOT NULL,
	"resources" integer DEFAULT 0 NOT NULL,
	"pages" integer DEFAULT 0 NOT NULL,
	"unread" integer DEFAULT 0 NOT NULL,
	"readings_index" integer DEFAULT 0 NOT NULL,
	"readings_service" integer DEFAULT 0 NOT NULL,
	"readings_stored" integer DEFAULT 0 NOT NULL,
	"readings_sampled" integer DEFAULT 0 NOT NULL,
	"readings_mismatched" integer DEFAULT 0 NOT NULL,
	"error" jsonb,
	"opened" integer DEFAULT 0 NOT NULL,
	"reopened" integer DEFAULT 0 NOT NULL,
	"changed" integer DEFAULT 0 NOT NULL,
	"resolved" integer DEFAULT 0 NOT NULL,
	"unchanged" integer DEFAULT 0 NOT NULL,
	"held" integer DEFAULT 0 NOT NULL,
	"started_at" timestamp with time zone,
	"finished_at" timestamp with time zone,
	CONSTRAINT "scan_units_scan_id_account_id_region_type_pk" PRIMARY KEY("scan_id","account_id","region","type")
);
--> statement-breakpoint
CREATE TABLE "scans" (
	"id" uuid PRIMARY KEY NOT NULL,
	"state" text NOT NULL,
	"epoch" bigint GENERATED ALWAYS AS IDENTITY (sequence name "scans_epoch_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"trigger" text NOT NULL,
	"requested_by" text NOT NULL,
	"schedule_id" text,
	"slot" timestamp with time zone,
	"targets" integer NOT NULL,
	"types" jsonb NOT NULL,
	"confirm_all" boolean NOT NULL,
	"departed" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"scope_hash" text NOT NULL,
	"dispatched" boolean DEFAULT false NOT NULL,
	"policy_set_id" text,
	"created_at" timestamp with time zone NOT NULL,
	"started_at" timestamp with time zone,
	"heartbeat_at" timestamp with time zone,
	"stop_requested_at" timestamp with time zone,
	"stop_reason" text,
	"stopped_by" text,
	"finished_at" timestamp with time zone,
	"warnings" jsonb NOT NULL,
	"api_calls" jsonb NOT NULL,
	"error" text
);
--> statement-breakpoint
CREATE TABLE "service_readings" (
	"arn" text PRIMARY KEY NOT NULL,
	"read_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "units" (
	"partition" text NOT NULL,
	"account_id" text NOT NULL,
	"region" text NOT NULL,
	"type" text NOT NULL,
	"state" text,
	"listed" boolean DEFAULT false NOT NULL,
	"error" jsonb,
	"applied_epoch" bigint DEFAULT 0 NOT NULL,
	"last_scan_id" uuid,
	"attempted_at" timestamp with time zone,
	"listed_at" timestamp with time zone,
	"completed_at" timestamp with time zone,
	CONSTRAINT "units_account_id_region_type_pk" PRIMARY KEY("account_id","region","type")
);
--> statement-breakpoint
CREATE TABLE "policy_activations" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "policy_activations_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"policy_set_id" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"actor" text NOT NULL,
	"resources" integer NOT NULL,
	"renamed" integer NOT NULL,
	"opened" integer NOT NULL,
	"reopened" integer NOT NULL,
	"changed" integer NOT NULL,
	"resolved" integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE "policy_rules" (
	"policy_set_id" text NOT NULL,
	"policy_id" text NOT NULL,
	"rule_id" text NOT NULL,
	"position" integer NOT NULL,
	"title" text NOT NULL,
	"owner" text,
	"key" text,
	"severity" text NOT NULL,
	"sensitive" boolean NOT NULL,
	CONSTRAINT "policy_rules_policy_set_id_policy_id_rule_id_pk" PRIMARY KEY("policy_set_id","policy_id","rule_id")
);
--> statement-breakpoint
CREATE TABLE "policy_sets" (
	"id" text PRIMARY KEY NOT NULL,
	"version" integer GENERATED ALWAYS AS IDENTITY (sequence name "policy_sets_version_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"created_at" timestamp with time zone NOT NULL,
	"files" jsonb NOT NULL,
	"active" boolean NOT NULL,
	"activated_at" timestamp with time zone,
	"activated_by" text
);
--> statement-breakpoint
CREATE TABLE "plan_actions" (
	"plan_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"account_id" text NOT NULL,
	"region" text NOT NULL,
	"type" text NOT NULL,
	"arn" text NOT NULL,
	"changes" jsonb NOT NULL,
	"decided_on" jsonb NOT NULL,
	"reads_from" jsonb NOT NULL,
	"origins" jsonb NOT NULL,
	"given" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"tags_hash" text NOT NULL,
	"reasons" jsonb NOT NULL,
	"undoes_position" integer,
	"left_out" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"protected" boolean NOT NULL,
	"state" text NOT NULL,
	"note" text,
	"tags_before" jsonb,
	"tags_after" jsonb,
	"attempts" integer DEFAULT 0 NOT NULL,
	"intended_at" timestamp with time zone,
	"written_at" timestamp with time zone,
	"finished_at" timestamp with time zone,
	CONSTRAINT "plan_actions_plan_id_position_pk" PRIMARY KEY("plan_id","position")
);
--> statement-breakpoint
CREATE TABLE "plans" (
	"id" uuid PRIMARY KEY NOT NULL,
	"state" text NOT NULL,
	"hash" text NOT NULL,
	"kind" text DEFAULT 'repair' NOT NULL,
	"undoes_plan_id" uuid,
	"mode" text NOT NULL,
	"policy_set_id" text NOT NULL,
	"scan_id" uuid,
	"created_at" timestamp with time zone NOT NULL,
	"created_by" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"approved_at" timestamp with time zone,
	"approved_by" text,
	"approved_hash" text,
	"approved_note" text,
	"rejected_at" timestamp with time zone,
	"rejected_by" text,
	"rejected_note" text,
	"apply_requested_at" timestamp with time zone,
	"apply_requested_by" text,
	"started_at" timestamp with time zone,
	"finished_at" timestamp with time zone,
	"stopped" text,
	"run_id" uuid,
	"heartbeat_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "remediation_pauses" (
	"id" uuid PRIMARY KEY NOT NULL,
	"paused_at" timestamp with time zone NOT NULL,
	"paused_by" text NOT NULL,
	"reason" text,
	"resumed_at" timestamp with time zone,
	"resumed_by" text
);
--> statement-breakpoint
CREATE TABLE "event_deliveries" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"region" text NOT NULL,
	"event_name" text NOT NULL,
	"arn" text,
	"principal" text,
	"event_time" timestamp with time zone NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	"state" text NOT NULL,
	"reason" text,
	"attempts" integer DEFAULT 0 NOT NULL,
	"queued_at" timestamp with time zone,
	"handled_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "installation" (
	"id" integer PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "scan_targets" (
	"scan_id" uuid NOT NULL,
	"account_id" text NOT NULL,
	"region" text NOT NULL,
	"partition" text NOT NULL,
	"rank" integer NOT NULL,
	"expected" integer NOT NULL,
	"state" text NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"fruitless" integer DEFAULT 0 NOT NULL,
	"taken_at" timestamp with time zone,
	"lease_owner" text,
	"lease_epoch" integer DEFAULT 0 NOT NULL,
	"lease_expires_at" timestamp with time zone,
	"queued_at" timestamp with time zone,
	"started_at" timestamp with time zone,
	"finished_at" timestamp with time zone,
	"api_calls" jsonb NOT NULL,
	"warnings" jsonb NOT NULL,
	CONSTRAINT "scan_targets_scan_id_account_id_region_pk" PRIMARY KEY("scan_id","account_id","region")
);
--> statement-breakpoint
CREATE TABLE "schedule_slots" (
	"schedule_id" text NOT NULL,
	"slot" timestamp with time zone NOT NULL,
	"outcome" text NOT NULL,
	"scan_id" uuid,
	"caught_up" integer NOT NULL,
	"decided_at" timestamp with time zone NOT NULL,
	"error" text,
	CONSTRAINT "schedule_slots_schedule_id_slot_pk" PRIMARY KEY("schedule_id","slot")
);
--> statement-breakpoint
CREATE TABLE "schedules" (
	"id" text PRIMARY KEY NOT NULL,
	"origin" text NOT NULL,
	"cron" text NOT NULL,
	"time_zone" text NOT NULL,
	"jitter_seconds" integer NOT NULL,
	"catch_up" text NOT NULL,
	"overlap" text NOT NULL,
	"accounts" text[],
	"regions" text[],
	"types" text[],
	"enabled" boolean NOT NULL,
	"counts_from" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"created_by" text NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"updated_by" text NOT NULL,
	"version" integer DEFAULT 1 NOT NULL
);
--> statement-breakpoint
CREATE INDEX "audit_log_by_actor" ON "audit_log" USING btree ("actor","position");--> statement-breakpoint
CREATE INDEX "audit_log_by_action" ON "audit_log" USING btree ("action","position");--> statement-breakpoint
CREATE INDEX "audit_log_by_subject" ON "audit_log" USING btree ("subject","position");--> statement-breakpoint
CREATE INDEX "exemption_events_by_exemption" ON "exemption_events" USING btree ("exemption_id","id");--> statement-breakpoint
CREATE INDEX "exemptions_by_expires_at" ON "exemptions" USING btree ("expires_at","id");--> statement-breakpoint
CREATE INDEX "finding_events_by_finding" ON "finding_events" USING btree ("finding_id","id");--> statement-breakpoint
CREATE INDEX "finding_events_by_at" ON "finding_events" USING btree ("at");--> statement-breakpoint
CREATE INDEX "findings_by_arn" ON "findings" USING btree ("arn");--> statement-breakpoint
CREATE INDEX "findings_by_unit" ON "findings" USING btree ("account_id","region","type","state");--> statement-breakpoint
CREATE INDEX "findings_by_opened_at" ON "findings" USING btree ("state","opened_at","id");--> statement-breakpoint
CREATE INDEX "findings_by_rule" ON "findings" USING btree ("policy_id","rule_id","state");--> statement-breakpoint
CREATE INDEX "held_closures_by_unit" ON "held_closures" USING btree ("account_id","region","type");--> statement-breakpoint
CREATE INDEX "resources_by_unit" ON "resources" USING btree ("account_id","region","type");--> statement-breakpoint
CREATE INDEX "scan_units_by_unit" ON "scan_units" USING btree ("account_id","region","type","finished_at");--> statement-breakpoint
CREATE UNIQUE INDEX "scans_one_per_slot" ON "scans" USING btree ("schedule_id","slot");--> statement-breakpoint
CREATE INDEX "scans_by_created_at" ON "scans" USING btree ("created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "policy_sets_by_version" ON "policy_sets" USING btree ("version");--> statement-breakpoint
CREATE UNIQUE INDEX "policy_sets_one_active" ON "policy_sets" USING btree ("active") WHERE "policy_sets"."active";--> statement-breakpoint
CREATE INDEX "plan_actions_by_arn" ON "plan_actions" USING btree ("arn");--> statement-breakpoint
CREATE INDEX "plan_actions_by_written_at" ON "plan_actions" USING btree ("written_at");--> statement-breakpoint
CREATE INDEX "plans_by_created_at" ON "plans" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "plans_by_scan" ON "plans" USING btree ("scan_id");--> statement-breakpoint
CREATE INDEX "plans_to_apply" ON "plans" USING btree ("apply_requested_at") WHERE apply_requested_at is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "remediation_pauses_one_in_force" ON "remediation_pauses" USING btree ((resumed_at is null)) WHERE resumed_at is null;--> statement-breakpoint
CREATE INDEX "event_deliveries_waiting" ON "event_deliveries" USING btree ("arn") WHERE state = 'received';--> statement-breakpoint
CREATE INDEX "event_deliveries_by_received_at" ON "event_deliveries" USING btree ("received_at");--> statement-breakpoint
CREATE UNIQUE INDEX "scan_targets_one_at_work" ON "scan_targets" USING btree ("account_id","region") WHERE state = 'running';--> statement-breakpoint
CREATE INDEX "scan_targets_open" ON "scan_targets" USING btree ("scan_id","rank") WHERE state in ('queued', 'running');