import { Option } from "commander";
import { UsageError } from "../config.ts";

/** Reads `a,b` of an option. */
export function listOption(text: string): string[] {
  const items = text.split(",").map((item) => item.trim());
  if (items.some((item) => item === ""))
    throw new UsageError(`${JSON.stringify(text)} has an empty item: give a list like a,b.`);
  return items;
}

/** An option as other commands spell it, not shown in the help: `--type` where this command says `--types`. */
export function spelledToo(flags: string, name: string, parse: (text: string) => unknown): Option {
  const option = new Option(flags).argParser(parse).hideHelp();
  option.attributeName = () => name;
  return option;
}
