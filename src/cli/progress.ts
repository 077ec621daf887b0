import type { ScanProgress } from "../scan/run.ts";

/** One line that is written over itself, on a terminal only. */
export function writtenOver(stream: NodeJS.WriteStream): { update: (line: string) => void; end: () => void } {
  if (!stream.isTTY) return { update: () => {}, end: () => {} };
  return {
    update: (line) => stream.write(`\r${line.slice(0, (stream.columns || 80) - 1)}\u001b[K`),
    end: () => stream.write("\r\u001b[K"),
  };
}

/** How far a scan has come, in a line that is written over itself. */
export function progressLine(stream: NodeJS.WriteStream): {
  update: (progress: ScanProgress) => void;
  end: () => void;
} {
  const { update, end } = writtenOver(stream);
  return {
    update: ({ units_done, units, resources, calls, throttled }) =>
      update(
        `Scanning: ${units_done} of ${units} units, ${resources} resources, ${calls} calls${throttled > 0 ? `, ${throttled} throttled` : ""}`,
      ),
    end,
  };
}
