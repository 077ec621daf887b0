import { createHash } from "node:crypto";

/**
 * The one style sheet. Both themes are sets of custom properties; text has at least 4.5:1 and parts of charts at least
 * 3:1 against what they lie on. Statuses are told by words and by shape first, by colour second.
 */
export const STYLES = `
:root {
  color-scheme: light dark;
  --bg: #f5f6f8; --surface: #ffffff; --raised: #f0f2f6; --text: #151a23; --muted: #515c6e; --line: #dde2ea; --strong-line: #8b95a5;
  --accent: #1a56c4; --accent-soft: #e7effc; --on-accent: #ffffff;
  --compliant: #2563d0; --noncompliant: #c65102; --exempt: #6d7889; --unknown: #8d97a6; --none: #b9c1cd;
  --warn-bg: #fff4e3; --warn-line: #d98a2b; --warn-text: #6b3d02;
  --info-bg: #e9f1fd; --info-line: #5b8ee0; --info-text: #143d80;
  --shadow: 0 1px 2px rgb(16 24 40 / 6%), 0 4px 16px rgb(16 24 40 / 4%);
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", Menlo, Consolas, "Liberation Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #0d1117; --surface: #151b24; --raised: #1c2430; --text: #e8edf4; --muted: #a2aebf; --line: #29323f; --strong-line: #6b7789;
    --accent: #82b1ff; --accent-soft: #1a2a45; --on-accent: #0b1526;
    --compliant: #5b9bff; --noncompliant: #ff9340; --exempt: #8f9bad; --unknown: #7f8b9d; --none: #4a5565;
    --warn-bg: #2c2113; --warn-line: #b87a2d; --warn-text: #ffd9a3;
    --info-bg: #14233b; --info-line: #3f6db8; --info-text: #c4dbff;
    --shadow: none;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--bg); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: break-word;
}
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: 2px; }
a:hover { text-decoration-thickness: 2px; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
h1, h2, h3 { line-height: 1.2; margin: 0; text-wrap: balance; letter-spacing: -.01em; }
h1 { font-size: 1.6rem; font-weight: 680; }
h2 { font-size: 1.05rem; font-weight: 650; }
h3 { font-size: 1rem; font-weight: 620; }
p { margin: 0; }
code, .mono { font-family: var(--mono); font-size: .92em; }
.skip { position: absolute; left: -9999px; }
.skip:focus { left: 1rem; top: 1rem; z-index: 9; background: var(--surface); padding: .5rem 1rem; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.muted { color: var(--muted); }
.small { font-size: .87rem; }
.nowrap { white-space: nowrap; overflow-wrap: normal; }

/* Frame */
.top { background: var(--surface); border-bottom: 1px solid var(--line); }
.top-in { max-width: 1240px; margin: 0 auto; padding: 0 1.25rem; display: flex; flex-wrap: wrap; align-items: center; gap: 0 1.75rem; min-height: 3.5rem; }
.brand { display: inline-flex; align-items: center; gap: .55rem; font-weight: 720; font-size: 1.05rem; color: var(--text); text-decoration: none; letter-spacing: -.02em; padding: .75rem 0; }
.brand svg { width: 1.5rem; height: 1.5rem; }
.nav { display: flex; flex-wrap: wrap; gap: .25rem; list-style: none; margin: 0; padding: 0; }
.nav a { display: block; padding: .85rem .7rem .75rem; color: var(--muted); text-decoration: none; font-weight: 540; border-bottom: 3px solid transparent; }
.nav a:hover { color: var(--text); border-color: var(--line); }
.nav a[aria-current] { color: var(--text); border-color: var(--accent); }
.banner { background: var(--warn-bg); color: var(--warn-text); border-bottom: 1px solid var(--warn-line); }
.banner p { max-width: 1240px; margin: 0 auto; padding: .45rem 1.25rem; font-size: .9rem; }
.banner strong { letter-spacing: .08em; }
main { max-width: 1240px; margin: 0 auto; padding: 1.5rem 1.25rem 3rem; display: grid; gap: 1.25rem; grid-template-columns: minmax(0, 1fr); }
footer { max-width: 1240px; margin: 0 auto; padding: 0 1.25rem 2rem; color: var(--muted); font-size: .87rem; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; }
.head { display: flex; flex-wrap: wrap; align-items: end; justify-content: space-between; gap: .75rem 1.5rem; }
.head p { color: var(--muted); margin-top: .25rem; }
.crumbs { font-size: .9rem; margin-bottom: .35rem; }

/* Cards */
.card { background: var(--surface); border: 1px solid var(--line); border-radius: 12px; box-shadow: var(--shadow); padding: 1.15rem 1.25rem; min-width: 0; }
.card > h2, .card-head { margin-bottom: .8rem; }
.card-head { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: .25rem 1rem; }
.flush { padding: 0; overflow: clip; }
.flush > h2, .flush > .card-head { padding: 1.1rem 1.25rem 0; }
.grid { display: grid; gap: 1.25rem; grid-template-columns: minmax(0, 1fr); align-items: start; }
@media (min-width: 960px) { .grid-2 { grid-template-columns: repeat(2, minmax(0, 1fr)); } .grid-hero { grid-template-columns: minmax(0, 2.2fr) minmax(17rem, 1fr); align-items: stretch; } .grid-side { grid-template-columns: minmax(0, 1.6fr) minmax(0, 1fr); } }
.note { border: 1px solid var(--info-line); background: var(--info-bg); color: var(--info-text); border-radius: 12px; padding: .85rem 1.1rem; }
.note a { color: inherit; font-weight: 600; }
.warn { border-color: var(--warn-line); background: var(--warn-bg); color: var(--warn-text); }
.note ul { margin: .4rem 0 0; padding-left: 1.2rem; }
.note summary { cursor: pointer; font-weight: 600; margin-top: .3rem; }
.empty { text-align: center; padding: 3rem 1.5rem; display: grid; gap: .75rem; justify-items: center; }
.empty p { max-width: 34rem; color: var(--muted); }

/* Hero */
.hero-top { display: flex; flex-wrap: wrap; gap: .5rem 2.5rem; align-items: end; justify-content: space-between; }
.big { font-size: clamp(3rem, 9vw, 4.75rem); line-height: .95; font-weight: 720; letter-spacing: -.045em; }
.big small { font-size: .48em; font-weight: 600; letter-spacing: -.02em; margin-left: .06em; color: var(--muted); }
.hero-say { margin-top: .7rem; color: var(--muted); }
.stats { display: flex; flex-wrap: wrap; gap: .75rem 2rem; margin: 0; }
.stats div { display: flex; flex-direction: column-reverse; }
.stats dt { color: var(--muted); font-size: .87rem; }
.stats dd { margin: 0; font-size: 1.45rem; font-weight: 660; letter-spacing: -.02em; line-height: 1.2; }
.bar { display: block; width: 100%; height: 18px; border-radius: 5px; overflow: hidden; margin: 1.2rem 0 .9rem; background: var(--raised); }
.bar-thin { height: 10px; margin: 0; border-radius: 3px; min-width: 5rem; }
.f-compliant { fill: var(--compliant); } .f-noncompliant { fill: var(--noncompliant); } .f-exempt { fill: var(--exempt); } .f-unknown { fill: var(--unknown); } .f-rest { fill: none; }
.f-gap { fill: var(--surface); } .s-hatch { stroke: var(--surface); stroke-width: 2; }
.legend { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .5rem; list-style: none; margin: 0; padding: 0; }
.legend a { display: grid; grid-template-columns: auto 1fr; column-gap: .5rem; align-items: center; padding: .5rem .6rem; margin: 0 -.1rem; border: 1px solid var(--line); border-radius: 9px; color: var(--text); text-decoration: none; }
.legend a:hover { background: var(--raised); border-color: var(--strong-line); }
.legend b { font-size: 1.2rem; letter-spacing: -.02em; grid-column: 2; line-height: 1.25; }
.legend span { grid-column: 2; color: var(--muted); font-size: .87rem; }
.legend svg { grid-row: 1 / span 2; width: 12px; height: 34px; border-radius: 3px; }

/* Words with a shape */
.chip { display: inline-flex; align-items: center; gap: .35em; border: 1px solid var(--line); background: var(--raised); border-radius: 999px; padding: .02rem .6rem; font-size: .84rem; font-weight: 560; white-space: nowrap; overflow-wrap: normal; color: var(--text); }
.chip svg { width: .72em; height: .72em; flex: none; }
.c-good svg { color: var(--compliant); } .c-bad svg { color: var(--noncompliant); } .c-quiet svg { color: var(--exempt); } .c-unsure svg { color: var(--unknown); } .c-busy svg { color: var(--accent); }

/* Tables */
.scroll { overflow-x: auto; position: relative; }
/* A box that scrolls would be what the head sticks to: a long list leaves the scrolling to the page. */
@media (min-width: 960px) { .list { overflow-x: visible; } }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
caption { text-align: left; color: var(--muted); font-size: .87rem; padding: 0 1.25rem .6rem; }
th { text-align: left; font-weight: 600; color: var(--muted); font-size: .82rem; }
thead th { position: sticky; top: 0; background: var(--surface); border-bottom: 1px solid var(--line); padding: .55rem .7rem; white-space: nowrap; overflow-wrap: normal; z-index: 1; }
tbody th { color: var(--text); font-size: inherit; font-weight: 540; }
tbody td, tbody th { border-bottom: 1px solid var(--line); padding: .5rem .7rem; vertical-align: top; }
tbody tr:last-child > * { border-bottom: 0; }
tbody tr:hover > * { background: var(--raised); }
th:first-child, td:first-child { padding-left: 1.25rem; } th:last-child, td:last-child { padding-right: 1.25rem; }
.num { text-align: right; white-space: nowrap; overflow-wrap: normal; }
.bar-cell { width: 30%; vertical-align: middle; }
td .sub, th .sub { display: block; color: var(--muted); font-size: .85rem; font-weight: 400; }
.zero { color: var(--muted); }
.w-arn { min-width: 15rem; }
@media (max-width: 640px) {
  main { padding: 1rem .75rem 2rem; gap: 1rem; } .top-in { padding: 0 .75rem; } .nav { margin: 0 -.5rem; } .nav a { padding: .5rem; }
  th:first-child, td:first-child { padding-left: .9rem; } th:last-child, td:last-child { padding-right: .9rem; }
  .card { padding: 1rem .9rem; } .flush { padding: 0; } .brand { padding: .6rem 0 .2rem; } .bar-cell { width: 22%; min-width: 5rem; } .hide-small { display: none; } tbody th { min-width: 6rem; }
}

/* Forms */
.filters { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(10.5rem, 45%), 1fr)); gap: .75rem; align-items: end; }
.filters .wide { grid-column: span 2; }
label { display: grid; gap: .2rem; font-size: .84rem; color: var(--muted); font-weight: 560; }
input, select, button, .button { font: inherit; font-size: .93rem; color: var(--text); background: var(--surface); border: 1px solid var(--strong-line); border-radius: 8px; padding: .42rem .6rem; min-height: 2.35rem; width: 100%; min-width: 0; }
button, .button { width: auto; cursor: pointer; font-weight: 600; text-decoration: none; display: inline-flex; align-items: center; gap: .4rem; padding: .42rem .95rem; }
button:hover, .button:hover { background: var(--raised); }
.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.primary:hover { background: var(--accent); filter: brightness(1.1); }
input, select { font-weight: 400; }
.filters .more, .filters .actions { grid-column: 1 / -1; }
.more .filters { margin-top: .75rem; }
.actions { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; }
.applied { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; list-style: none; margin: 0; padding: 0; }
.pages { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: .75rem; padding: .8rem 1.25rem; border-top: 1px solid var(--line); }

/* Facts, history, commands */
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .9rem 1.5rem; margin: 0; }
.facts dt { color: var(--muted); font-size: .84rem; } .facts dd { margin: .05rem 0 0; }
.facts .full { grid-column: 1 / -1; }
.finding { border: 1px solid var(--line); border-left: 4px solid var(--noncompliant); border-radius: 10px; padding: .9rem 1.05rem; display: grid; gap: .65rem; }
.finding-exempt, .finding-resolved { border-left-color: var(--exempt); }
.stack { display: grid; gap: .9rem; grid-template-columns: minmax(0, 1fr); }
.versus { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: .2rem .9rem; margin: 0; }
.versus dt { color: var(--muted); font-size: .87rem; } .versus dd { margin: 0; }
pre { margin: 0; padding: .7rem .85rem; background: var(--raised); border: 1px solid var(--line); border-radius: 8px; font: .85rem/1.5 var(--mono); white-space: pre-wrap; overflow-wrap: anywhere; user-select: all; }
.history { list-style: none; margin: 0; padding: 0 0 0 .35rem; }
.history li { position: relative; padding: 0 0 1rem 1.4rem; border-left: 2px solid var(--line); }
.history li:last-child { border-color: transparent; padding-bottom: 0; }
.history li::before { content: ""; position: absolute; left: -7px; top: .35rem; width: 12px; height: 12px; border-radius: 50%; background: var(--surface); border: 3px solid var(--exempt); }
.history .h-opened::before, .history .h-reopened::before { border-color: var(--noncompliant); } .history .h-resolved::before { border-color: var(--compliant); }
.matrix td { text-align: center; padding-block: .4rem; vertical-align: middle; }
.matrix thead th:not(:first-child) { white-space: normal; min-width: 5.2rem; vertical-align: bottom; text-align: center; }
.letter { display: inline-grid; place-items: center; min-width: 2.4rem; padding: .1rem .4rem; border-radius: 6px; border: 1px solid var(--line); font-weight: 640; font-size: .84rem; background: var(--raised); color: var(--text); text-decoration: none; }
.l-bad { border: 2px solid var(--noncompliant); } .l-busy { border: 2px dashed var(--accent); } .l-good { border-bottom: 3px solid var(--compliant); } .l-unsure { border: 2px dotted var(--strong-line); }
code, pre, dd, .note, .banner, h1, h3, .history, tbody td:not(.num), tbody .w-name { overflow-wrap: anywhere; }
tbody th { min-width: 8rem; }
.card-foot { margin-top: 1.1rem; padding-top: 1.1rem; border-top: 1px solid var(--line); }
.pad { padding: .6rem 1.25rem 1rem; }
.in-card { margin-bottom: 1rem; } .in-details { margin-top: .8rem; } .after { margin-top: .9rem; }
.hero-title { font-size: 1.05rem; font-weight: 650; margin-bottom: .9rem; }
.hero-foot { margin-top: 1rem; }
.w-name { min-width: 11rem; } .w-place { min-width: 9.5rem; }
.fix { display: grid; gap: .35rem; grid-template-columns: minmax(0, 1fr); }
.check { display: inline-flex; align-items: center; gap: .45rem; }
.check input { width: 1.1rem; min-height: 1.1rem; accent-color: var(--accent); }
.trend { display: block; width: 100%; height: 8rem; } .t-grid { stroke: var(--line); vector-effect: non-scaling-stroke; }
.t-line { fill: none; stroke: var(--compliant); stroke-width: 2.5; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.trend-ends { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .2rem 1rem; margin: .4rem 0 .6rem; }
.progress { width: 100%; height: 8px; margin-top: .6rem; accent-color: var(--info-line); }
summary { cursor: pointer; color: var(--accent); font-weight: 560; }
abbr { text-decoration: underline dotted; text-underline-offset: 3px; cursor: help; }
@media (prefers-reduced-motion: no-preference) { .legend a, button, .button, .nav a { transition: background-color .12s, border-color .12s; } }
@media print { .top, .filters, .actions, .skip { display: none; } body { background: #fff; } }
`;

/** Where the style sheet is served: the name changes with the content, so it can be cached for ever. */
export const STYLES_PATH = `/assets/${createHash("sha256").update(STYLES).digest("hex").slice(0, 16)}.css`;
