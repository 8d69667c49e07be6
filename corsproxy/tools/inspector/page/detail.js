// One exchange in full: why, what to change, what was done to its headers, when, and what can be done with it.

import { ask } from "./api.js";
import { copyButton, download, make, section } from "./dom.js";
import { explanationSections, sentences, steps, verdictOf } from "./explanation.js";

const SIGNS = { kept: "", removed: "removed", replaced: "replaced", added: "added" };

/** Fill the article with an exchange. */
export async function showDetail(article, row, close) {
  article.dataset.number = row.id;
  let found;
  try {
    found = await ask(`exchanges/${row.id}`);
  } catch (error) {
    article.replaceChildren(back(close), make("p", { role: "alert" }, error.message));
    return;
  }
  if (article.dataset.number !== String(row.id)) return; // another one has been chosen meanwhile
  const { explanation, rule } = found;
  article.dataset.verdict = explanation ? (explanation.blocked ? "blocked" : "allowed") : "";
  const parts = [
    back(close),
    make("h2", {}, `${row.requested || row.method} ${row.target}`),
    make(
      "p",
      { class: "lead" },
      explanation ? verdictOf(explanation) : "CORS does not apply",
      row.origin ? ` for ${row.origin}` : ": no page of another origin asks",
      rule ? `, by the rule ${rule.name} (${rule.where}), policy ${rule.policy}` : "; no rule matches",
      rule?.policy_where && rule.policy_where !== rule.where ? ` (${rule.policy_where})` : "",
    ),
    row.failure ? make("p", { class: "failure" }, row.failure) : "",
    actions(row, found),
    ...(explanation ? explanationSections(explanation, found.advice) : []),
    section("In the shadow", found.shadow.map(inTheShadow)),
    section("Try it", explanation && row.rule ? tryIt(row, found.policy_text) : null),
    ...found.heads.flatMap(headSections),
    section("Timeline", timeline(found.timeline)),
    make("p", { class: "bodies" }, `Bodies are not recorded: ${found.request_bytes} bytes went up, ${found.response_bytes} came back.`),
  ];
  article.replaceChildren(...parts.filter(Boolean));
}

function inTheShadow({ said, rule, where, policy, policy_where, fix }) {
  const place = rule ? `by the rule ${rule} (${where}), policy ${policy}${policy_where ? ` (${policy_where})` : ""}` : "no rule there";
  return [make("p", { class: "shadow" }, `It ${said}`), make("p", {}, place), fix ? make("p", {}, `To leave it as it is: ${fix}`) : null];
}

function back(close) {
  return make("button", { type: "button", class: "close", onclick: close }, "Close");
}

function actions(row, found) {
  const said = make("span", { role: "status" });
  const replay = make("button", { type: "button" }, "Replay");
  replay.addEventListener("click", async () => {
    replay.disabled = true;
    try {
      await ask(`replay/${row.id}`, { method: "POST" });
      said.textContent = "Replayed: see the top of the list.";
    } catch (error) {
      said.textContent = `Not replayed: ${error.message}.`;
    }
    replay.disabled = false;
  });
  const har = make("button", { type: "button" }, "Export as HAR");
  har.addEventListener("click", async () => download(`exchange-${row.id}.har`, await ask(`har?id=${row.id}`)));
  return make(
    "div",
    { class: "actions", role: "group", "aria-label": "Do with this exchange" },
    replay,
    copyButton("Copy as curl", found.curl),
    copyButton("Copy as fetch", found.fetch),
    har,
    said,
  );
}

function tryIt(row, policy) {
  const area = make("textarea", { id: "policy", spellcheck: "false", rows: String(policy.split("\n").length + 1) });
  area.value = policy;
  const result = make("div", { class: "tried", role: "status" });
  const button = make("button", { type: "button" }, "Try this policy");
  button.addEventListener("click", async () => {
    try {
      result.replaceChildren(...outcome(await ask(`try/${row.id}`, { method: "POST", body: area.value })));
    } catch (error) {
      result.replaceChildren(make("p", {}, error.message));
    }
  });
  const label = make("label", { for: "policy" }, "Change the policy here, and see the verdict; the configuration stays as it is.");
  return [label, area, button, result];
}

function outcome({ problems, explanation }) {
  if (problems) {
    return problems.map((problem) =>
      make("p", { "data-verdict": "blocked" }, `line ${problem.line}: ${problem.message}`, problem.correction ? make("code", {}, problem.correction) : null),
    );
  }
  const verdict = make("p", { "data-verdict": explanation.blocked ? "blocked" : "allowed" }, "It would be ", verdictOf(explanation), ".");
  return [verdict, sentences(explanation.browsers), steps(explanation.steps)].filter(Boolean);
}

function headSections(head) {
  const preflight = head.method === "OPTIONS";
  const name = preflight ? "Preflight" : head.method;
  const upstream = head.upstream ? ` to ${head.upstream}` : "";
  const plain = head.came.map(([name, before]) => ({ kind: "kept", name, before, after: before, why: "", where: "" }));
  const request = head.request ?? plain;
  return [
    section(`${name}: request headers${head.request ? upstream : ", which no upstream got"}`, lines(request)),
    section(
      `${name}: response headers (${head.status || "no answer"})`,
      head.response ? lines(head.response) : make("p", {}, "The rule table has been replaced since; what was sent is not known any more."),
    ),
  ].filter(Boolean);
}

function lines(found) {
  if (!found.length) return null;
  return make(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": "Header lines" },
    make(
      "table",
      { class: "headers" },
      make("thead", {}, make("tr", {}, ...["Header", "Change", "Value", "Because of"].map((title) => make("th", { scope: "col" }, title)))),
      make("tbody", {}, ...found.map(line)),
    ),
  );
}

function line({ kind, name, before, after, why, where }) {
  const values = kind === "replaced" ? [make("del", {}, before), " ", make("ins", {}, after)] : [kind === "removed" ? make("del", {}, before) : after];
  return make(
    "tr",
    { "data-kind": kind },
    make("th", { scope: "row" }, name),
    make("td", {}, SIGNS[kind]),
    make("td", { class: "value" }, ...values),
    make("td", {}, why, where ? make("small", {}, where) : null),
  );
}

function timeline(events) {
  return make("ol", { class: "timeline" }, ...events.map(({ at, what }) => make("li", {}, make("span", { class: "number" }, `${at} ms`), what)));
}
