// The explanation of one request: the browsers' words, the change that mends it, and the standard's steps in order.

import { copyButton, make, section } from "./dom.js";

const MARKS = { passed: "✓", failed: "✗", "not reached": "–", note: "·" };

/** Everything that an explanation says, as sections. */
export function explanationSections(explanation, advice) {
  return [
    section("What the browser says", sentences(explanation.browsers)),
    section("What to change", fix(explanation.fix, advice)),
    section("Worth knowing", list(explanation.looks_like_cors)),
    section("Step by step", steps(explanation.steps)),
  ].filter(Boolean);
}

/** The verdict in a word. */
export function verdictOf(explanation) {
  return make("strong", { class: "verdict" }, explanation.blocked ? "blocked" : "allowed");
}

export function steps(found) {
  if (!found.length) return null;
  return make(
    "ol",
    { class: "steps" },
    ...found.map((step) =>
      make(
        "li",
        { "data-state": step.state },
        make("span", { class: "mark", role: "img", "aria-label": step.state }, MARKS[step.state]),
        make("a", { href: step.clause, target: "_blank", rel: "noopener noreferrer" }, step.title),
        step.found ? make("span", { class: "found" }, step.found) : null,
      ),
    ),
  );
}

export function sentences(browsers) {
  const found = Object.entries(browsers);
  if (!found.length) return null;
  return make("dl", { class: "sentences" }, ...found.flatMap(([name, said]) => [make("dt", {}, name), make("dd", {}, said)]));
}

function fix(found, advice) {
  if (found?.diff) {
    return [
      make("p", {}, "This was tried, and lets the request pass."),
      make("pre", { class: "diff", tabindex: "0", "aria-label": "The change, as a diff" }, ...diffLines(found.diff)),
      copyButton("Copy the change", found.diff),
      list(found.allows.map((what) => `then: ${what}`)),
      list(found.warnings.map((what) => `careful: ${what}`), "warnings"),
    ];
  }
  const words = advice || found?.why_not;
  return words ? [make("p", {}, words), copyButton("Copy", words)] : null;
}

function diffLines(diff) {
  const kinds = { "+": "added", "-": "removed" };
  return diff.split("\n").map((line) => make("span", { "data-kind": kinds[line[0]] }, `${line}\n`));
}

function list(texts, name) {
  return texts?.length ? make("ul", { class: name }, ...texts.map((text) => make("li", {}, text))) : null;
}
