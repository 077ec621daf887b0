import { createHash } from "node:crypto";
import type { Database } from "../../src/db/client.ts";
import { uuidv7 } from "../../src/db/uuid.ts";
import { finding_events, findings } from "../../src/findings/schema.ts";
import { resources, scan_units, scans, units } from "../../src/inventory/schema.ts";
import { policy_rules, policy_sets } from "../../src/policy/schema.ts";
import { NOW, type World } from "./seed.ts";

/** Texts that become markup, addresses, handlers or styles wherever one is put in without care. */
const PAYLOADS = [
  "<script>alert(1)</script>",
  '"><img src=x onerror=alert(1)>',
  "'><xss onmouseover=alert(1)>",
  "<svg/onload=alert(1)>",
  "javascript:alert(1)",
  "data:text/html,<script>alert(1)</script>",
  "</title><script>alert(1)</script>",
  "</textarea></style></noscript><iframe srcdoc='<script>alert(1)</script>'>",
  '" autofocus onfocus=alert(1) x="',
  "' style='background:url(//evil.example/x)' '",
  "<!--<img src='--><img src=x onerror=alert(1)//'>",
  "]]><script>alert(1)</script>",
  "&lt;script&gt;alert(1)&lt;/script&gt;",
  "${alert(1)} {{constructor.constructor('alert(1)')()}}",
  '<a href="javascript:alert(1)">x</a><base href=//evil.example/>',
  '<meta http-equiv="refresh" content="0;url=//evil.example/">',
  "\u202e<b>right to left</b>\u0007\u001b[31m",
  `${"W".repeat(240)}<u>`,
] as const;

/** Every text column of every table that a page reads holds one of the payloads. */
export async function seedHostile(database: Database): Promise<World> {
  const scan_id = uuidv7(NOW);
  const set = "b".repeat(64);
  const p = (n: number) => PAYLOADS[n % PAYLOADS.length]!;
  const error = (n: number) => ({ name: p(n), message: p(n + 1), operation: p(n + 2) });
  await database
    .insert(policy_sets)
    .values({ id: set, created_at: NOW, files: [], active: true, activated_at: NOW, activated_by: p(0) });
  await database.insert(scans).values({
    id: scan_id,
    state: "partial",
    trigger: "api",
    requested_by: p(1),
    schedule_id: p(2),
    targets: 1,
    scope_hash: p(3),
    stopped_by: p(4),
    types: ["campaign"],
    confirm_all: true,
    policy_set_id: p(6),
    created_at: NOW,
    started_at: NOW,
    finished_at: NOW,
    warnings: [...PAYLOADS],
    api_calls: { total: 1, throttled: 0, [p(7)]: 1 },
    error: p(8),
  });
  const world: World = { arns: [], finding_ids: [], scan_id, open: 0, exempt: 0, noncompliant: 0 };
  for (const [n, payload] of PAYLOADS.entries()) {
    const unit = { account_id: p(n + 3).slice(0, 60), region: `${n}${p(n + 4)}`, type: "campaign" as const };
    await database.insert(units).values({
      ...unit,
      partition: p(n),
      state: n % 2 === 0 ? "complete" : "denied",
      listed: true,
      error: error(n),
      last_scan_id: scan_id,
      attempted_at: NOW,
      listed_at: NOW,
    });
    await database.insert(scan_units).values({
      ...unit,
      scan_id,
      state: n % 2 === 0 ? "complete" : "denied",
      error: error(n),
      resources: 1,
      started_at: NOW,
      finished_at: NOW,
    });
    const arn = `arn:aws:personalize:${payload}/${n}`;
    world.arns.push(arn);
    await database.insert(resources).values({
      ...unit,
      arn,
      name: payload,
      status: p(n + 1),
      summary: { [payload]: payload },
      tags: Object.fromEntries(PAYLOADS.map((key, i) => [key, p(i + n)])),
      source: "service",
      tags_read_at: NOW,
      in_index: true,
      reading_error: n % 3 === 0 ? error(n) : null,
      standing: n % 5 === 0 ? "unknown" : "judged",
      unknown_reason: p(n + 5),
      stack: p(n + 6),
      first_seen_at: NOW,
      recorded_at: NOW,
    });
    const rule = { policy_id: p(n + 1), rule_id: payload };
    await database.insert(policy_rules).values({
      ...rule,
      policy_set_id: set,
      position: n,
      title: p(n + 2),
      owner: p(n + 3),
      key: p(n + 4),
      severity: "high",
      sensitive: false,
    });
    const id = createHash("sha256").update(payload).digest("hex");
    world.finding_ids.push(id);
    const detail = { message: payload, observed: { [payload]: p(n + 1) }, expected: p(n + 2), near_miss: p(n + 3) };
    const said = {
      kind: "invalid" as const,
      severity: "high" as const,
      detail,
      policy_set_id: set,
      source: "service" as const,
    };
    await database.insert(findings).values({
      ...unit,
      ...rule,
      ...said,
      id,
      arn,
      key: p(n + 4),
      state: "open",
      opened_at: NOW,
      opened_cause: "observed",
      first_opened_at: NOW,
      last_scan_id: scan_id,
    });
    await database
      .insert(finding_events)
      .values({ ...said, finding_id: id, at: NOW, event: "opened", cause: p(n + 5), scan_id, actor: p(n + 6) });
  }
  return world;
}
