import { ROLE_NAME } from "./accounts.ts";
import type { Caller } from "./caller.ts";
import { allows, matchesAny } from "./session-policy.ts";

/**
 * How the audit role of one account differs from the others, which exist, let the whole organization in, and may do
 * everything.
 */
export type SandboxRole = {
  readonly account_id: string;
  /** There is no such role. */
  readonly missing?: boolean;
  /** The trust policy asks for this external id. */
  readonly external_id?: string;
  /** The only accounts that the trust policy lets in. */
  readonly trusts?: readonly string[];
  /** Actions that no policy of the role allows; `*` is a wildcard. */
  readonly lacks?: readonly string[];
  /** The session belongs to this account instead. */
  readonly leads_to?: string;
};

/** The audit roles that are not as usual, by account. */
export class Roles {
  #roles: ReadonlyMap<string, SandboxRole>;

  constructor(roles: readonly SandboxRole[]) {
    this.#roles = byAccount(roles);
  }

  /** Replaces what was said before. */
  set(roles: readonly SandboxRole[]): void {
    this.#roles = byAccount(roles);
  }

  of(account_id: string): SandboxRole | undefined {
    return this.#roles.get(account_id);
  }

  /** Why a session of a role may not do something, as AWS words it; null: it may, or the caller is no session of a role. */
  refusal({ account_id, role, session_policy }: Caller, action: string): string | null {
    // Of this one action AWS says that it needs no permission, and that no policy can deny it.
    if (role === null || action === "sts:GetCallerIdentity") return null;
    if (role === ROLE_NAME && matchesAny(this.of(account_id)?.lacks ?? [], action))
      return `no identity-based policy allows the ${action} action`;
    return session_policy && !allows(session_policy, action) ? `no session policy allows the ${action} action` : null;
  }
}

function byAccount(roles: readonly SandboxRole[]): ReadonlyMap<string, SandboxRole> {
  return new Map(roles.map((role) => [role.account_id, role]));
}
