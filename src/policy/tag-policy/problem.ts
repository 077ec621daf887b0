/** What can be wrong with tag policies, and the reason that AWS gives when it refuses. Source: Organizations API reference, "Errors". */
export const AWS_REASONS = {
  malformed_json: "MalformedPolicyDocumentException",
  missing_tags_root: "MalformedPolicyDocumentException",
  unknown_field: "MalformedPolicyDocumentException",
  unknown_operator: "MalformedPolicyDocumentException",
  missing_operator: "MalformedPolicyDocumentException",
  operator_not_allowed_here: "MalformedPolicyDocumentException",
  operator_not_allowed_for_field: "MalformedPolicyDocumentException",
  type_mismatch: "MalformedPolicyDocumentException",
  tag_key_mismatch: "MalformedPolicyDocumentException",
  duplicate_policy_key: "MalformedPolicyDocumentException",
  bad_policy_key: "MalformedPolicyDocumentException",
  too_many_wildcards: "MalformedPolicyDocumentException",
  bad_resource_type: "MalformedPolicyDocumentException",
  bad_child_operator: "MalformedPolicyDocumentException",
  policy_too_large: "POLICY_CONTENT_LIMIT_EXCEEDED",
  too_many_policies_attached: "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
  effective_too_large: "ELEMENTS_TOO_MANY",
  too_many_required_keys: "ELEMENTS_TOO_MANY",
} as const;

/** Something that AWS would refuse. */
export type ProblemCode = keyof typeof AWS_REASONS;

/** Something that AWS accepts and that may not do what its author meant. */
export type WarningCode =
  | "empty_setting"
  | "old_wildcard"
  | "unknown_resource_type"
  | "unsupported_resource_type"
  | "impossible_value"
  | "white_space_counts"
  | "unknown_setting"
  | "spelling_not_shown"
  | "operator_blocked_by_parent"
  | "assign_loses_to_peer"
  | "values_emptied";

/** Where in a document, and in its text when there was one. */
type DocumentPlace = {
  /** Names from the root with dots between: `tags.costcenter.tag_value.@@assign`. */
  readonly path: string;
  /** From 1; 0 where the document was no text, or where it is about all of it. */
  readonly line: number;
  readonly column: number;
};

/** Why AWS refuses a document. */
export type DocumentProblem = DocumentPlace & {
  readonly code: ProblemCode;
  readonly message: string;
  /** What to do about it, as a sentence. */
  readonly hint?: string;
};

/** What to know about a document that AWS accepts. */
export type DocumentWarning = DocumentPlace & { readonly code: WarningCode; readonly message: string };

/** Why AWS refuses what documents are together. `path`: the target, or the resource type, that is over a limit. */
export type MergeProblem = {
  readonly code: "too_many_policies_attached" | "effective_too_large" | "too_many_required_keys";
  readonly path: string;
  readonly limit: number;
  readonly actual: number;
  readonly message: string;
};

/** What a document says and what comes to nothing, or to something strange, among the others. */
export type MergeWarning = {
  readonly code: "operator_blocked_by_parent" | "assign_loses_to_peer" | "values_emptied";
  /** With the name of the entry in lower case. */
  readonly path: string;
  /** Where the document is attached. */
  readonly target: string;
  readonly message: string;
};

const SHOWN_CHARACTERS = 80;

/** A word of a document within a sentence: of bounded length, on one line, harmless for a terminal. */
export function shown(word: string): string {
  const cut = word.length > SHOWN_CHARACTERS ? `${word.slice(0, SHOWN_CHARACTERS)}…` : word;
  return `\`${cut.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escaped)}\``;
}

/** Names from the root, made a path as `DocumentPlace` has it. */
export function pathOf(names: readonly string[]): string {
  return names.map((name) => name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escaped)).join(".");
}

function escaped(character: string): string {
  return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;
}
