import { pino } from "pino";

/** JSON lines on stderr: stdout is for data. Constant messages, fields beside; never a tag value, never a credential. */
export const log = pino({ level: "info", base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
