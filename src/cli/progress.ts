import type { ScanProgress } from "../scan/run.ts";
import { printable } from "../terminal/text.ts";
import { spanText } from "./scan-text.ts";

/** Lines that are written over themselves, on a terminal only. What is longer than the terminal is wide is cut, so that the lines stay as many. */
export function writtenOver(stream: NodeJS.WriteStream): {
  update: (text: string | readonly string[]) => void;
  end: () => void;
} {
  if (!stream.isTTY) return { update: () => {}, end: () => {} };
  let above = 0;
  const toStart = () => `\r${above > 0 ? `\u001b[${above}A` : ""}\u001b[J`;
  return {
    update: (text) => {
      const lines = (typeof text === "string" ? [text] : text).slice(0, Math.max(1, (stream.rows || 24) - 1));
      stream.write(`${toStart()}${lines.map((line) => line.slice(0, (stream.columns || 80) - 1)).join("\n")}`);
      above = lines.length - 1;
    },
    end: () => {
      stream.write(toStart());
      above = 0;
    },
  };
}

/** How far a scan has come, in a line that is written over itself. */
export function progressLine(stream: NodeJS.WriteStream): {
  update: (progress: ScanProgress) => void;
  end: () => void;
} {
  const { update, end } = writtenOver(stream);
  const began_at = performance.now();
  return {
    update: (progress) => update(progressText(progress, (performance.now() - began_at) / 1000)),
    end,
  };
}

/** How far a scan has come after so many seconds: the rest of its units is thought to take as long as those that have ended. */
export function progressText(progress: ScanProgress, seconds: number): string {
  const { units_done, units, resources, calls, throttled } = progress;
  const parts = [
    `${units_done} of ${units} units`,
    `${resources} resources`,
    `${calls} calls`,
    ...(throttled > 0 ? [`${throttled} throttled`] : []),
    // In the first moments they would say anything.
    ...(seconds >= 1 ? [`${(calls / seconds).toFixed(1)} a second`] : []),
    ...(seconds >= 1 && units_done > 0 && units_done < units
      ? [`about ${spanText((seconds / units_done) * (units - units_done))} left`]
      : []),
  ];
  return printable(`Scanning: ${parts.join(", ")}`);
}
