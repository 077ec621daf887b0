/** Tags as this project holds them everywhere: key → value, `aws:` keys included. Keys and values are case-sensitive. */
export type Tags = Readonly<Record<string, string>>;
