/** The policy under which Tagwarden itself has findings, about its own repairs. No file may have this id. */
export const OWN_POLICY_ID = "tagwarden";
