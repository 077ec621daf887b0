import type { Child } from "hono/jsx";
import { link } from "./links.ts";
import { STYLES_PATH } from "./styles.ts";

/** What every page shows around its content. */
export type Frame = {
  readonly sandbox: boolean;
  readonly version: string;
  /** Problems of the policy files on disk: the last good set is in use. */
  readonly policy_problems: readonly string[];
};

type Section = "overview" | "findings" | "resources" | "scans" | null;

const SECTIONS = [
  { section: "overview", label: "Overview", href: link.overview() },
  { section: "findings", label: "Findings", href: link.findings() },
  { section: "resources", label: "Resources", href: link.resources() },
  { section: "scans", label: "Scans", href: link.scans() },
] as const;

/** The frame of a page. `title` names the page in the browser's tab. */
export function Layout(props: { frame: Frame; title: string; section: Section; children: Child }) {
  const { frame } = props;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{`${props.title} · Tagwarden`}</title>
        <link rel="icon" href={ICON} />
        <link rel="stylesheet" href={STYLES_PATH} />
      </head>
      <body>
        <a class="skip" href="#content">
          Skip to the content
        </a>
        <header class="top">
          <div class="top-in">
            <a class="brand" href={link.overview()}>
              <Mark />
              Tagwarden
            </a>
            <nav aria-label="Main">
              <ul class="nav">
                {SECTIONS.map(({ section, label, href }) => (
                  <li>
                    <a href={href} aria-current={section === props.section ? "page" : undefined}>
                      {label}
                    </a>
                  </li>
                ))}
              </ul>
            </nav>
          </div>
        </header>
        {frame.sandbox ? (
          <aside class="banner" aria-label="Sandbox">
            <p>
              <strong>SANDBOX</strong> — an emulated AWS with invented accounts. Nothing here is real and nothing real
              is touched.
            </p>
          </aside>
        ) : null}
        <main id="content">
          {frame.policy_problems.length > 0 ? <PolicyProblems problems={frame.policy_problems} /> : null}
          {props.children}
        </main>
        <footer>
          <span>Tagwarden {frame.version}</span>
          <a href={link.api()}>API description</a>
          <span>All times are UTC.</span>
        </footer>
        <Patterns />
      </body>
    </html>
  );
}

/** The heading of a page, with a line that says what it is about. */
export function Head(props: { title: string; say?: Child; children?: Child }) {
  return (
    <div class="head">
      <div>
        <h1>{props.title}</h1>
        {props.say === undefined ? null : <p>{props.say}</p>}
      </div>
      {props.children}
    </div>
  );
}

/** A whole page for an error. The id finds the cause in the log. */
export function ErrorPage(props: { frame: Frame; status: number; title: string; detail: string; id: string }) {
  return (
    <Layout frame={props.frame} title={props.title} section={null}>
      <section class="card empty">
        <p class="muted">{props.status}</p>
        <h1>{props.title}</h1>
        <p>{props.detail}</p>
        <p class="small">
          Request <code>{props.id}</code>
        </p>
        <a class="button" href={link.overview()}>
          To the overview
        </a>
      </section>
    </Layout>
  );
}

function PolicyProblems(props: { problems: readonly string[] }) {
  return (
    <section class="note warn" aria-label="Policy problems">
      <strong>The policy files have errors; the last good set stays in use.</strong>
      <ul>
        {props.problems.slice(0, 10).map((problem) => (
          <li>{problem}</li>
        ))}
      </ul>
    </section>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true">
      <path d="M12 1.6 21 5v6.6c0 5-3.6 8.7-9 10.8-5.4-2.1-9-5.8-9-10.8V5z" fill="#1a56c4" />
      <path d="M7.5 8.2h5.2l4.3 4.3-4.7 4.7-4.8-4.8z" fill="#ffffff" />
      <circle cx="10" cy="10.7" r="1.150" fill="#c65102" />
    </svg>
  );
}

/** Hatches that charts use, so that statuses differ by more than colour. */
function Patterns() {
  return (
    <svg class="hidden" width="0" height="0" aria-hidden="true">
      <defs>
        <pattern id="hatch-unknown" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect class="f-unknown" width="8" height="8" />
          <line class="s-hatch" x1="0" y1="0" x2="0" y2="8" />
        </pattern>
        <pattern id="dots-exempt" width="7" height="7" patternUnits="userSpaceOnUse">
          <rect class="f-exempt" width="7" height="7" />
          <circle class="f-gap" cx="3.5" cy="3.5" r="1.1" />
        </pattern>
      </defs>
    </svg>
  );
}

const ICON =
  "data:image/svg+xml," +
  encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="M12 1.6 21 5v6.6c0 5-3.6 8.7-9 10.8-5.4-2.1-9-5.8-9-10.8V5z" fill="#1a56c4"/><path d="M7.5 8.2h5.2l4.3 4.3-4.7 4.7-4.8-4.8z" fill="#fff"/><circle cx="10" cy="10.7" r="1.2" fill="#c65102"/></svg>`,
  );
