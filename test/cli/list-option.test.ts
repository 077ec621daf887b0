import type { Command } from "commander";
import { expect, test } from "vitest";
import { findingsCommand } from "../../src/cli/findings.ts";
import { planCommand } from "../../src/cli/plan.ts";

/** What a command makes of these words, without doing anything. */
function parsed(command: Command, ...words: string[]): Record<string, unknown> {
  let options: Record<string, unknown> = {};
  command
    .exitOverride()
    .action((given: Record<string, unknown>) => {
      options = given;
    })
    .parse(words, { from: "user" });
  return options;
}

test.each([
  ["account", "111122223333"],
  ["region", "us-east-1"],
  ["type", "campaign"],
])("findings and plan take --%s and the plural alike", (name, value) => {
  for (const spelling of [`--${name}`, `--${name}s`]) {
    expect(parsed(findingsCommand(), spelling, value)).toMatchObject({ [`${name}s`]: [value] });
    expect(parsed(planCommand(), spelling, value)).toMatchObject({ [name]: [value] });
  }
});
