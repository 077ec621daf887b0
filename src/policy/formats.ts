/** A well-known form of a value. Each check takes time linear in the value, and knows only what tags can hold. */
type Format = { readonly words: string; readonly matches: (value: string) => boolean };

export const FORMATS = {
  email: { words: "an e-mail address", matches: isEmail },
  arn: { words: "an ARN", matches: isArn },
  "account-id": { words: "an AWS account id of twelve digits", matches: (value) => /^\d{12}$/.test(value) },
  date: { words: "a date such as 2026-01-31", matches: isDate },
  url: { words: "a URL that begins with https:// or http://", matches: isUrl },
  uuid: {
    words: "a UUID",
    matches: (value) => /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i.test(value),
  },
  number: { words: "a decimal number", matches: (value) => /^[+-]?\d+(\.\d+)?$/.test(value) },
} as const satisfies Record<string, Format>;

export type FormatName = keyof typeof FORMATS;
export const FORMAT_NAMES = Object.keys(FORMATS) as FormatName[];

/** Not RFC 5322: an address that a person writes, with a dotted domain. Tags hold no quotes and no `!#$%&'*`. */
function isEmail(value: string): boolean {
  const [local, domain, ...more] = value.split("@");
  if (!local || !domain || more.length > 0 || local.length > 64 || /\p{Z}/u.test(local)) return false;
  if (local.startsWith(".") || local.endsWith(".") || local.includes("..")) return false;
  return isDomain(domain) && domain.includes(".");
}

function isDomain(value: string): boolean {
  return (
    value.length <= 253 &&
    value.split(".").every((label) => /^[\p{L}\p{N}-]{1,63}$/u.test(label) && !/^-|-$/.test(label))
  );
}

/** `arn:partition:service:region:account:resource`; region and account may be empty. */
function isArn(value: string): boolean {
  const [arn, partition, service, region, account, ...resource] = value.split(":");
  if (arn !== "arn" || !/^aws(-[a-z]+)*$/.test(partition ?? "") || !/^[a-z0-9-]+$/.test(service ?? "")) return false;
  if (!/^[a-z0-9-]*$/.test(region ?? "") || !/^(\d{12}|aws)?$/.test(account ?? "")) return false;
  return resource.join(":") !== "" && !/\p{Z}/u.test(value);
}

/** A day that exists, as `YYYY-MM-DD`. */
function isDate(value: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(value)) return false;
  const date = new Date(`${value}T00:00:00Z`);
  // 2026-02-30 is read as the second of March.
  return date.getUTCDate() === Number(value.slice(8));
}

function isUrl(value: string): boolean {
  return /^https?:\/\/[^/:]/.test(value) && !/\p{Z}/u.test(value) && URL.canParse(value);
}
