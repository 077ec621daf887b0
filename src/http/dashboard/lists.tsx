import type { Child } from "hono/jsx";
import type { Page, Total } from "../../reports/page.ts";
import type { LinkQuery } from "./links.ts";
import { count, title } from "./words.ts";

/** What is common to the pages that list something: the form of filters, the count, the way to the next page. */

/** A choice of one out of a few; the first means any. */
export function Select(props: {
  name: string;
  label: string;
  any: string;
  options: readonly string[];
  value: readonly string[] | string | undefined;
}) {
  const chosen = typeof props.value === "string" ? [props.value] : (props.value ?? []);
  // Several values come from a link, not from this form: they stay one choice, so that sending the form keeps them.
  const options =
    chosen.length > 1
      ? [chosen.join(","), ...props.options]
      : [...chosen.filter((one) => !props.options.includes(one)), ...props.options];
  return (
    <label>
      {props.label}
      <select name={props.name}>
        <option value="">{props.any}</option>
        {options.map((option) => (
          <option value={option} selected={option === chosen.join(",")}>
            {title(option)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A free text of a filter. */
export function TextField(props: {
  name: string;
  label: string;
  value: readonly string[] | string | undefined;
  wide?: boolean;
}) {
  const value = typeof props.value === "string" ? props.value : (props.value ?? []).join(",");
  return (
    <label class={props.wide === true ? "wide" : undefined}>
      {props.label}
      <input type="text" name={props.name} value={value} autocomplete="off" spellcheck={false} />
    </label>
  );
}

/** The form: a GET, so the address holds all of it. Seldom used fields are folded away unless one is in use. */
export function FilterForm(props: { action: string; clear: string; children: Child; more: Child; more_used: boolean }) {
  return (
    <form method="get" action={props.action} class="card filters" aria-label="Filters">
      {props.children}
      <details class="more" open={props.more_used}>
        <summary>More filters</summary>
        <div class="filters">{props.more}</div>
      </details>
      <div class="actions">
        <button type="submit" class="primary">
          Show
        </button>
        <a href={props.clear} class="button">
          Clear
        </a>
      </div>
    </form>
  );
}

/** Whether a filter of these names is in use. */
export function anyUsed(filters: Readonly<Record<string, unknown>>, names: readonly string[]): boolean {
  return names.some((name) => filters[name] !== undefined);
}

/** `1,234`, or `10,000+` where counting stopped. */
export function totalText(total: Total): string {
  return total.type === "AT_LEAST" ? `${count(total.count)}+` : count(total.count);
}

/** How many are shown of how many, and the next page. */
export function Pages(props: {
  page: Page<unknown>;
  first: boolean;
  query: LinkQuery;
  to: (query: LinkQuery) => string;
  /** What the list holds, in the singular. */
  noun: string;
}) {
  const { page, query, to } = props;
  const what = page.total.count === 1 ? props.noun : `${props.noun}s`;
  const shown = page.items.length;
  return (
    <nav class="pages" aria-label="Pages">
      <span class="muted small">
        {props.first && page.next_page_token === null
          ? `${count(shown)} ${what}`
          : `${count(shown)} of ${totalText(page.total)} ${what} on this page`}
      </span>
      <span class="actions">
        {props.first ? null : (
          <a class="button" href={to({ ...query, page_token: null })}>
            First page
          </a>
        )}
        {page.next_page_token === null ? null : (
          <a class="button" rel="next" href={to({ ...query, page_token: page.next_page_token })}>
            Next page
          </a>
        )}
      </span>
    </nav>
  );
}
