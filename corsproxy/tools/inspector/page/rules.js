// The rule table: what each rule has seen among the exchanges that are kept, and its last denial.

import { make } from "./dom.js";

/** Show the rules; `open` is told the number of a denial that is asked for. */
export function showRules(body, rules, open) {
  const focused = body.contains(document.activeElement) ? document.activeElement.dataset.rule : null;
  body.replaceChildren(
    ...rules.map((rule) =>
      make(
        "tr",
        { "data-blocked": rule.blocked > 0 },
        make("th", { scope: "row" }, rule.name, make("small", {}, rule.where)),
        make("td", {}, rule.policy),
        make("td", {}, rule.upstream),
        make("td", { class: "number" }, String(rule.exchanges)),
        make("td", { class: "number" }, rule.last_blocked ? denial(rule, open) : "0"),
      ),
    ),
  );
  if (focused) [...body.querySelectorAll("button")].find((button) => button.dataset.rule === focused)?.focus();
}

function denial(rule, open) {
  const label = `${rule.blocked}, show last denial by ${rule.name}`;
  return make(
    "button",
    { type: "button", "aria-label": label, "data-rule": rule.where + rule.name, onclick: () => open(rule.last_blocked) },
    `${rule.blocked}, show last`,
  );
}
