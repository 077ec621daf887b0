import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Change, World } from "./world.ts";

/**
 * A file of all changes to a world, one JSON object a line, so that a second start keeps what was written.
 * The first line names the world; a last line that was cut off by a crash is dropped.
 */
export class Journal {
  readonly #file: number;

  private constructor(file: number) {
    this.#file = file;
  }

  /** Opens or makes the file, makes its changes to the world again, and records every further one. Throws if it is of another world. */
  static open(path: string, world: World): Journal {
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(path, "a+");
    try {
      const { seed, resources, accounts, regions, never_tagged_share } = world.settings;
      const head = JSON.stringify({ tagwarden_sandbox: { seed, resources, accounts, regions, never_tagged_share } });
      const text = readFileSync(file, "utf8");
      const whole = text.slice(0, text.lastIndexOf("\n") + 1);
      if (whole.length < text.length) ftruncateSync(file, Buffer.byteLength(whole));
      const [first, ...lines] = whole.split("\n").slice(0, -1);
      if (first === undefined) writeSync(file, `${head}\n`);
      else if (first !== head) {
        throw new Error(
          `${path} belongs to another sandbox: it begins with ${first}, this one with ${head}. Remove it or start with its settings.`,
        );
      }
      lines.forEach((line, index) => world.replay(readLine(line, `${path}:${index + 2}`)));
    } catch (error) {
      closeSync(file);
      throw error;
    }
    world.onChange = (change, at) => {
      writeSync(file, `${JSON.stringify({ at: at.toISOString(), change })}\n`);
    };
    return new Journal(file);
  }

  close(): void {
    closeSync(this.#file);
  }
}

function readLine(line: string, where: string): Change {
  try {
    return (JSON.parse(line) as { change: Change }).change;
  } catch (cause) {
    throw new Error(`${where}: not a line of a sandbox journal. Remove the file to start afresh.`, { cause });
  }
}
