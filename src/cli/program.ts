import { Command, CommanderError } from "commander";
import { version } from "../version.ts";
import { EXIT, exitCodeOf, messageOf } from "./exit.ts";

type Row = { readonly summary: string; readonly load: () => Promise<Command> };

/** The commands. A command's file is loaded only when it is the one asked for, so that the start is quick. */
export const COMMANDS: Record<string, Row> = {
  scan: {
    summary: "list every resource, read its tags, judge them, record and report",
    load: async () => (await import("./scan.ts")).scanCommand(),
  },
  scans: {
    summary: "list, show and cancel scans; confirm held closures",
    load: async () => (await import("./scans.ts")).scansCommand(),
  },
  schedules: {
    summary: "when scans begin by themselves, and what came of it",
    load: async () => (await import("./schedules.ts")).schedulesCommand(),
  },
  serve: {
    summary: "schedules, HTTP API and dashboard; with --sandbox everything without AWS",
    load: async () => (await import("./serve.ts")).serveCommand(),
  },
  worker: {
    summary: "work on scans beside a service; any number of them",
    load: async () => (await import("./worker.ts")).workerCommand(),
  },
  targets: {
    summary: "which accounts and regions a scan would cover, and whether it could",
    load: async () => (await import("./targets.ts")).targetsCommand(),
  },
  policies: {
    summary: "validate and activate policies; import and export them; print their schema",
    load: async () => (await import("./policies.ts")).policiesCommand(),
  },
  findings: { summary: "what is wrong, filtered", load: async () => (await import("./findings.ts")).findingsCommand() },
  exemptions: {
    summary: "violations that are accepted for a time",
    load: async () => (await import("./exemptions.ts")).exemptionsCommand(),
  },
  report: {
    summary: "print the report of a scan again",
    load: async () => (await import("./report.ts")).reportCommand(),
  },
  plan: {
    summary: "propose tag changes, before and after",
    load: async () => (await import("./plan.ts")).planCommand(),
  },
  plans: { summary: "list and show plans; reject one", load: async () => (await import("./plans.ts")).plansCommand() },
  apply: {
    summary: "make the changes of a plan, each verified",
    load: async () => (await import("./apply.ts")).applyCommand(),
  },
  undo: {
    summary: "plan how to put back what a plan wrote",
    load: async () => (await import("./undo.ts")).undoCommand(),
  },
  fights: {
    summary: "keys that others fight us over: list them, end one",
    load: async () => (await import("./fights.ts")).fightsCommand(),
  },
  pause: {
    summary: "stop all repairs, in every process, within seconds",
    load: async () => (await import("./pause.ts")).pauseCommand(),
  },
  resume: {
    summary: "let repairs go on",
    load: async () => (await import("./resume.ts")).resumeCommand(),
  },
  audit: {
    summary: "who did what; check that the log of it is whole",
    load: async () => (await import("./audit.ts")).auditCommand(),
  },
  sandbox: {
    summary: "an emulated AWS to try things on",
    load: async () => (await import("./sandbox.ts")).sandboxCommand(),
  },
  migrate: {
    summary: "bring the database's tables up to date",
    load: async () => (await import("./migrate.ts")).migrateCommand(),
  },
};

const EXIT_CODES = `
Exit codes:
  0  done
  1  the answer is no: findings at or above --fail-on, an invalid result of a check
  2  wrong usage, configuration or policy; nothing was done
  3  incomplete, and said what: a unit not read, an action in conflict, failed or blocked
  4  could not begin: no credentials, database or endpoint not reachable

Example:
  tagwarden scan --regions us-east-1 --fail-on high`;

/** Runs the command line: sets the exit code, prints errors as one message on stderr, never a stack trace for what a user can mend. */
export async function run(argv: readonly string[]): Promise<void> {
  const output = watchOutput();
  const program = new Command("tagwarden")
    .description("Audits and repairs the tags of Amazon Personalize.")
    .version(version())
    .helpCommand(false)
    .showSuggestionAfterError()
    .showHelpAfterError("What can be given: tagwarden --help")
    .exitOverride()
    .addHelpText("after", EXIT_CODES);
  const asked = argv.find((word) => !word.startsWith("-"));
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    if (name === asked) program.addCommand(inheritExit(await load()));
    else
      program
        .command(name)
        .description(summary)
        .action(() => {});
  }
  try {
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
      return;
    }
    // A command that gave up because nobody reads on has done what it could.
    if (output.errors.has(error)) return;
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

/**
 * Lets a command end as it would when its output cannot be written: what it does, such as writing tags, must not end in the
 * middle. That a reader has read enough, as `head` has, is no error; anything else, such as a full disk, is told once.
 */
function watchOutput(): { readonly errors: ReadonlySet<unknown> } {
  const errors = new Set<unknown>();
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      const told = errors.size > 0;
      errors.add(error);
      if (error.code === "EPIPE" || told) return;
      process.once("exit", () => (process.exitCode ||= EXIT.incomplete));
      if (stream === process.stdout) process.stderr.write(`The output could not be written: ${error.message}\n`);
    });
  }
  return { errors };
}

/** Commander ends the process by itself, with code 1, unless told otherwise on every level. `parent`: the words before. */
function inheritExit(command: Command, parent = "tagwarden"): Command {
  const words = `${parent} ${command.name()}`;
  command.exitOverride().showSuggestionAfterError().showHelpAfterError(`What can be given: ${words} --help`);
  for (const child of command.commands) inheritExit(child, words);
  return command;
}
