import { z } from "zod";
import { personText, reasonText } from "../../exemptions/form.ts";
import { confirmHeld, type Decider, rejectHeld } from "../../findings/db/decide-held.ts";
import type { HeldDecisionRow, Waiting } from "../../reports/db/held.ts";
import { fromZodError } from "../problem.ts";
import { link } from "./links.ts";
import { FullTime } from "./parts.tsx";
import { plural } from "./words.ts";

const Form = z.object({
  decision: z.enum(["confirm", "reject"], "has to be confirm or reject"),
  decided_by: personText,
  reason: z
    .literal("")
    .transform(() => undefined)
    .or(reasonText)
    .optional(),
});

/** What a form says about what a scan held. Throws ProblemError where it says too little. */
export function readDecision(form: unknown, now: Date): { decide: typeof confirmHeld; by: Decider } {
  const read = Form.safeParse(form);
  if (!read.success) throw fromZodError(read.error, "form");
  const { decision, decided_by, reason = null } = read.data;
  return { decide: decision === "confirm" ? confirmHeld : rejectHeld, by: { actor: decided_by, at: now, reason } };
}

/** What waits for a person, and what people decided. A plain form, so it works without script; other sites are refused by the server. */
export function Held(props: { scan_id: string; waiting: Waiting; decisions: readonly HeldDecisionRow[]; now: Date }) {
  const { scan_id, waiting, decisions, now } = props;
  return (
    <>
      {waiting.units === 0 ? null : (
        <section class="note warn" aria-labelledby="held">
          <h2 id="held">
            {plural(waiting.closures, "closure")} in {plural(waiting.units, "unit")}{" "}
            {waiting.closures === 1 ? "waits" : "wait"} for a decision
          </h2>
          <p>
            This scan would have closed suspiciously much, so nothing of that was closed. Confirm if it is right: the
            findings close now. Reject if it is not: they stay open, and the next scan that sees the same asks again.
          </p>
          <form method="post" action={link.held(scan_id)} class="filters in-details">
            <label>
              Your name
              <input name="decided_by" required maxlength={200} autocomplete="name" />
            </label>
            <label class="wide">
              Reason, if there is one to keep
              <input name="reason" maxlength={500} />
            </label>
            <div class="actions">
              <button type="submit" name="decision" value="confirm">
                Confirm: close them
              </button>
              <button type="submit" name="decision" value="reject">
                Reject: keep them open
              </button>
            </div>
          </form>
        </section>
      )}
      {decisions.length === 0 ? null : (
        <section class="card" aria-labelledby="decisions">
          <h2 id="decisions">What was decided about what it held</h2>
          <ul class="history">
            {decisions.map((one) => (
              <li>
                <strong>{one.actor}</strong> {one.decision} {plural(one.closures, "closure")} in{" "}
                {plural(one.units, "unit")}: <FullTime at={one.at} now={now} />
                {one.reason === null ? null : <span class="sub">{one.reason}</span>}
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
