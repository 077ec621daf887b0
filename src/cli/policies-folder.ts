/** The folder of policies: the one given, else `TAGWARDEN_POLICIES`, else `policies`. */
export function policiesFolder(given: string | undefined): string {
  return given ?? (process.env["TAGWARDEN_POLICIES"] || "policies");
}
