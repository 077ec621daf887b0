import type { ScanProgress } from "../scan/run.ts";

/** One line that is written over itself, on a terminal only. */
export function progressLine(stream: NodeJS.WriteStream): {
  update: (progress: ScanProgress) => void;
  end: () => void;
} {
  if (!stream.isTTY) return { update: () => {}, end: () => {} };
  return {
    update: ({ units_done, units, resources, calls, throttled }) => {
      const line = `Scanning: ${units_done} of ${units} units, ${resources} resources, ${calls} calls${throttled > 0 ? `, ${throttled} throttled` : ""}`;
      stream.write(`\r${line.slice(0, (stream.columns || 80) - 1)}\u001b[K`);
    },
    end: () => stream.write("\r\u001b[K"),
  };
}
