// The page: the stream of exchanges, the filters, and what is open beside them.

import { ask, follow } from "./api.js";
import { showDetail } from "./detail.js";
import { download, make } from "./dom.js";
import { ExchangeList } from "./list.js";
import { showRules } from "./rules.js";

const at = (id) => document.getElementById(id);
const controls = ["text", "verdict", "status", "origin", "rule", "shadow"].map(at);
const detail = at("detail");

const list = new ExchangeList(at("list"), {
  count: at("count"),
  empty: at("empty"),
  filters: () => Object.fromEntries(controls.map((control) => [control.id, control.value])),
  open,
});

async function open(row) {
  if (!row) return;
  detail.hidden = false;
  document.body.dataset.open = "";
  await showDetail(detail, row, close);
  detail.scrollTop = 0;
  detail.focus({ preventScroll: true });
}

function close() {
  if (detail.hidden) return;
  detail.hidden = true;
  delete document.body.dataset.open;
  list.select(0);
  list.focus();
}

function choices(control, values) {
  const known = new Set([...control.options].map((option) => option.value));
  for (const [value, label] of values) {
    if (value && !known.has(value)) {
      known.add(value);
      control.append(make("option", { value }, label));
    }
  }
}

function tell(news) {
  list.tell(news);
  choices(at("origin"), news.rows.map((row) => [row.origin, row.origin]));
  choices(at("rule"), news.rules.map((rule) => [rule.where, rule.name]));
  if (news.rows.some((row) => row.shadow)) at("shadow").parentElement.hidden = false;
  showRules(at("rules"), news.rules, (number) => list.choose(number));
}

function say(text, live) {
  at("state").textContent = text;
  at("state").dataset.live = String(live);
  if (live) list.clear();
}

for (const control of controls) control.addEventListener("input", () => list.render());

at("export").addEventListener("click", async () => {
  try {
    download("corsproxy.har", await ask("har"));
  } catch (error) {
    say(error.message, false);
  }
});

document.addEventListener("keydown", (event) => {
  const writing = event.target.matches("input, textarea, select");
  if (event.key === "Escape") close();
  else if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    at("text").focus();
  } else if (event.key === "ArrowDown" && event.target === at("text")) {
    event.preventDefault();
    list.focus();
  }
});

follow(tell, say);
