/** A value of a filter in a link; null and undefined leave it out. */
type QueryValue = string | number | null | undefined | readonly string[];
export type LinkQuery = Readonly<Record<string, QueryValue>>;

/** The only makers of links: each begins with a path of ours, so no stored text can become a scheme. */
export const link = {
  overview: () => "/",
  findings: (query: LinkQuery = {}) => to("/findings", query),
  finding: (id: string) => `/findings/${encodeURIComponent(id)}`,
  resources: (query: LinkQuery = {}) => to("/resources", query),
  resource: (arn: string) => to("/resource", { arn }),
  scans: (query: LinkQuery = {}) => to("/scans", query),
  scan: (id: string, query: LinkQuery = {}) => to(`/scans/${encodeURIComponent(id)}`, query),
  cancelScan: (id: string) => `/scans/${encodeURIComponent(id)}/cancel`,
  held: (id: string) => `/scans/${encodeURIComponent(id)}/held`,
  api: () => "/openapi.json",
};

function to(path: string, query: LinkQuery): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    if (typeof value === "string" || typeof value === "number") parameters.append(name, String(value));
    else if (value.length > 0) parameters.append(name, value.join(","));
  }
  const text = parameters.toString();
  return text === "" ? path : `${path}?${text}`;
}
