import type { ASTNode } from "@marcbachmann/cel-js";
import { NULLABLE } from "./nullable-functions.ts";

/** Whether a part of an expression is the tags of something. */
export function isTagMap(node: ASTNode): boolean {
  return (node.op === "id" && node.args === "tags") || (node.op === "." && node.args[1] === "tags");
}

/**
 * The expression that is evaluated in place of the author's, with all its parentheses written out, in which only this
 * differs: whether a key is among tags is asked of the tags, because an absent one is null and not missing; what is made of
 * null is null; a pattern is matched by RE2, in time linear in the value; the age of a resource is reckoned from the instant
 * of judging.
 */
export function rewriteExpression(node: ASTNode, text: string): string {
  const inner = (child: ASTNode) => rewriteExpression(child, text);
  switch (node.op) {
    case "value":
      return text.slice(node.start, node.end);
    case "id":
      return node.args;
    case ".":
      if (node.args[1] === "age" && node.args[0].op === "id" && node.args[0].args === "resource")
        return "nullableMinus(now, resource.created_at)";
      return `${inner(node.args[0])}.${node.args[1]}`;
    case "[]":
      return `${inner(node.args[0])}[${inner(node.args[1])}]`;
    case "in": {
      const [key, container] = node.args;
      if (isTagMap(container)) return `hasKey(${inner(container)}, ${inner(key)})`;
      return `(${inner(key)} in ${inner(container)})`;
    }
    case "call": {
      const [name, args] = node.args;
      const [asked] = args;
      if (name === "has" && asked?.op === "." && isTagMap(asked.args[0]))
        return `hasKey(${inner(asked.args[0])}, ${JSON.stringify(asked.args[1])})`;
      return `${NULLABLE.conversions.get(name) ?? name}(${args.map(inner).join(", ")})`;
    }
    case "rcall": {
      const [name, receiver, args] = node.args;
      const called = name === "matches" ? "matchesRe2" : NULLABLE.methods.get(name);
      if (called !== undefined) return `${called}(${[receiver, ...args].map(inner).join(", ")})`;
      return `${inner(receiver)}.${name}(${args.map(inner).join(", ")})`;
    }
    case "list":
      return `[${node.args.map(inner).join(", ")}]`;
    case "map":
      return `{${node.args.map(([key, value]) => `${inner(key)}: ${inner(value)}`).join(", ")}}`;
    case "?:":
      return `(${inner(node.args[0])} ? ${inner(node.args[1])} : ${inner(node.args[2])})`;
    case "!_":
    case "-_":
      return `(${node.op[0]}${inner(node.args)})`;
    case ".?":
    case "[?]":
      throw new Error("optional access is not switched on, so no expression has it");
    case "+":
    case "-":
    case "*":
    case "/":
    case "%":
    case "==":
    case "!=":
    case "<":
    case "<=":
    case ">":
    case ">=":
    case "&&":
    case "||": {
      const [left, right] = node.args;
      const nullable = NULLABLE.operators.get(node.op);
      if (nullable !== undefined) return `${nullable}(${inner(left)}, ${inner(right)})`;
      return `(${inner(left)} ${node.op} ${inner(right)})`;
    }
  }
  return node satisfies never;
}
