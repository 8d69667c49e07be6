// The list: one entry for each exchange, a preflight together with the request that it asked for.

import { make } from "./dom.js";

const WORDS = { blocked: "blocked", allowed: "allowed", "": "not decided here" };

export class ExchangeList {
  constructor(element, { count, empty, filters, open }) {
    this.element = element;
    this.count = count;
    this.empty = empty;
    this.filters = filters;
    this.open = open;
    this.rows = new Map(); // number -> row
    this.entries = new Map(); // number -> element
    this.shown = []; // numbers, the newest first
    this.active = 0;
    this.selected = 0;
    element.addEventListener("keydown", (event) => this.key(event));
    element.addEventListener("click", (event) => this.click(event));
    element.addEventListener("focusin", (event) => this.activate(Number(event.target.dataset.number)));
  }

  /** Rows that are new, and the number of the oldest that the proxy still keeps. */
  tell({ rows, first }) {
    for (const row of rows) {
      this.rows.set(row.id, row);
      const before = this.rows.get(row.pair);
      if (before) before.pair = row.id;
      this.entries.delete(row.id);
    }
    for (const number of this.rows.keys()) {
      if (number < first) {
        this.rows.delete(number);
        this.entries.delete(number);
      }
    }
    this.render();
  }

  /** Start anew, as the proxy has. */
  clear() {
    this.rows.clear();
    this.entries.clear();
    this.active = this.selected = 0;
  }

  render() {
    const heads = [...this.rows.values()].filter((row) => !(row.requested && this.rows.has(row.pair)));
    this.shown = heads.filter((row) => this.matches(row)).map((row) => row.id).reverse();
    const focused = this.element.contains(document.activeElement);
    if (!this.shown.includes(this.active)) this.active = this.shown[0] ?? 0;
    this.place(this.shown.map((number) => this.entry(this.rows.get(number))));
    if (focused) this.entries.get(this.active)?.focus({ preventScroll: true });
    this.count.textContent = this.shown.length === heads.length ? `${heads.length}` : `${this.shown.length} of ${heads.length}`;
    this.empty.hidden = this.shown.length > 0;
    this.empty.textContent = heads.length
      ? "No exchange matches the filters."
      : "No exchange yet. Send a request through the proxy.";
  }

  /** Put the entries in order, and touch none that is in its place: a click on one that moves would be lost. */
  place(wanted) {
    const kept = new Set(wanted);
    for (const entry of [...this.element.children]) if (!kept.has(entry)) entry.remove();
    let next = this.element.firstElementChild;
    for (const entry of wanted) {
      if (entry === next) next = next.nextElementSibling;
      else this.element.insertBefore(entry, next);
    }
  }

  matches(row) {
    const { text, verdict, status, origin, rule, shadow } = this.filters();
    const preflight = row.requested ? null : this.rows.get(row.pair);
    return (
      row.target.toLowerCase().includes(text.toLowerCase()) &&
      (!verdict || row.verdict === verdict) &&
      (!status || [row, preflight].some((one) => one && String(one.status)[0] === status)) &&
      (!origin || row.origin === origin) &&
      (!rule || row.where === rule) &&
      (!shadow || [row, preflight].some((one) => one && one.shadow === shadow))
    );
  }

  entry(row) {
    let element = this.entries.get(row.id);
    if (!element) {
      element = make("li", { role: "option", "data-number": row.id, "data-verdict": row.verdict }, ...this.content(row));
      this.entries.set(row.id, element);
    }
    element.tabIndex = row.id === this.active ? 0 : -1;
    element.setAttribute("aria-selected", String(row.id === this.selected));
    return element;
  }

  content(row) {
    const preflight = row.requested ? null : this.rows.get(row.pair);
    const method = row.requested ? `OPTIONS for ${row.requested}` : row.websocket ? "WebSocket" : row.method;
    return [
      make("span", { class: "verdict" }, WORDS[row.verdict]),
      make("span", { class: "request" }, make("b", {}, method), " ", row.target),
      make("span", { class: "status" }, preflight ? `preflight ${preflight.status}, then ` : "", String(row.status || "no answer")),
      make("span", { class: "origin" }, row.origin ? `from ${row.origin}` : "no Origin"),
      ...[row, preflight].filter((one) => one?.shadow).map((one) => make("span", { class: "shadow" }, `in the shadow: ${one.in_the_shadow}`)),
      make("span", { class: "time" }, `${new Date(row.began).toLocaleTimeString()}, ${row.milliseconds} ms`),
    ];
  }

  activate(number) {
    if (!this.entries.has(number)) return;
    const before = this.entries.get(this.active);
    if (before) before.tabIndex = -1;
    this.active = number;
    this.entries.get(number).tabIndex = 0;
  }

  select(number) {
    this.entries.get(this.selected)?.setAttribute("aria-selected", "false");
    this.selected = number;
    this.entries.get(number)?.setAttribute("aria-selected", "true");
  }

  focus() {
    this.entries.get(this.active)?.focus();
  }

  click(event) {
    const entry = event.target.closest("[data-number]");
    if (entry) this.choose(Number(entry.dataset.number));
  }

  choose(number) {
    this.activate(number);
    this.select(number);
    this.open(this.rows.get(number));
  }

  key(event) {
    const at = this.shown.indexOf(this.active);
    const last = this.shown.length - 1;
    const to = { ArrowDown: Math.min(at + 1, last), ArrowUp: Math.max(at - 1, 0), Home: 0, End: last }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      this.activate(this.shown[to]);
      this.focus();
    } else if ((event.key === "Enter" || event.key === " ") && at >= 0) {
      event.preventDefault();
      this.choose(this.active);
    }
  }
}
