import type { ApplyStep } from "../remediation/aws/apply-action.ts";
import type { End } from "../remediation/decide.ts";
import { writtenOver } from "./progress.ts";
import { spanText } from "./scan-text.ts";

/** How far a run is with a plan. `total`: actions that had not ended when it began. */
export type ApplyProgress = { readonly total: number; readonly ends: Readonly<Partial<Record<End["state"], number>>> };

/** How far the applying of a plan has come after so many seconds: the rest is thought to take as long as what has ended. */
export function applyProgressText({ total, ends }: ApplyProgress, seconds: number): string {
  const done = Object.values(ends).reduce((sum, count) => sum + count, 0);
  const parts = [
    `${done} of ${total} resources`,
    ...Object.entries(ends).map(([state, count]) => `${count} ${state}`),
    ...(seconds >= 1 && done > 0 && done < total ? [`about ${spanText((seconds / done) * (total - done))} left`] : []),
  ];
  return `Applying: ${parts.join(", ")}`;
}

/** Says in a line that is written over itself, on a terminal only, how far a plan is. */
export function applyProgress(stream: NodeJS.WriteStream): {
  begin: (total: number) => void;
  onStep: (step: ApplyStep, action: unknown, end?: End) => void;
  end: () => void;
} {
  const { update, end } = writtenOver(stream);
  const ends: Partial<Record<End["state"], number>> = {};
  let [total, began_at] = [0, 0];
  const show = () => update(applyProgressText({ total, ends }, (performance.now() - began_at) / 1000));
  return {
    begin: (resources) => {
      [total, began_at] = [resources, performance.now()];
      show();
    },
    onStep: (step, _, ended) => {
      if (step !== "ended" || ended === undefined) return;
      ends[ended.state] = (ends[ended.state] ?? 0) + 1;
      show();
    },
    end,
  };
}
