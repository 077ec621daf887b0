import type { currentPause, Pause } from "../remediation/db/pauses.ts";
import { type Context, withContext } from "./context.ts";

/** Who asks to stop is not to wait for AWS to say who that is. Milliseconds. */
const PATIENCE_MS = 3000;

type Deps = { readonly database: Parameters<typeof currentPause>[0]; readonly actor: string; readonly now: Date };

/** Runs the body of `pause` or `resume` with who asks for it. */
export function withActor(command: string, body: (deps: Deps) => Promise<void>): Promise<void> {
  return withContext(command, async (context: Context) => {
    const { database } = await context.database();
    await body({ database, actor: await context.actor(PATIENCE_MS), now: context.now() });
  });
}

/** Prints what came of it, as JSON. */
export function printPause(value: { changed: boolean; paused: boolean; pause: Pause | null }): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
