"""The smallest change of the configuration under which a request is no longer blocked.

It is searched for, not guessed: the change that the first obstacle asks for is made in the text, the text is loaded
like any other configuration, the request is asked again, and so on until it passes.  What is offered has therefore been
tried.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Final, NamedTuple

from corsproxy.config.table import Rule
from corsproxy.config.written import Path
from corsproxy.cors.browser import Fetched, run
from corsproxy.cors.decision import Decision, Outcome
from corsproxy.cors.fetch import Request
from corsproxy.cors.origin import parse_origin
from corsproxy.cors.origin_list import is_insecure
from corsproxy.cors.policy import Policy
from corsproxy.cors.serialized import is_loopback
from corsproxy.cors.words import advice, is_hopeless
from corsproxy.errors import InvalidConfig, InvalidOrigin
from corsproxy.tools.resemblance import resembles
from corsproxy.tools.simulation import Exchanged, Simulation
from corsproxy.tools.written_config import WrittenConfig
from corsproxy.tools.yaml_edit import NotEditable, add_entry, dumped, replace, set_key

_MOST: Final = 8  # obstacles that one request can meet: origin, method, headers, credentials, and their flags

_RULES_NAMED: Final = 8


class Edit(NamedTuple):
    """One change: where in the configuration, which key, and what it becomes or gets as well."""

    path: Path
    key: str
    added: tuple[str, ...] = ()  # entries of a list
    value: bool | str | tuple[str, ...] | None = None  # of a key


class Fix(NamedTuple):
    """A change that was tried and lets the request pass."""

    text: str  # the whole configuration after it
    diff: str
    allows: tuple[str, ...]  # what else it would allow
    warnings: tuple[str, ...]  # why it may be unwise


class NoFix(NamedTuple):
    """Why no change of the configuration is offered, and what to do instead."""

    reason: str


class Obstacle(NamedTuple):
    """What the browser made of a request, and the last exchange that it saw."""

    fetched: Fetched
    last: Exchanged | None


def ask(config: WrittenConfig, request: Request) -> Obstacle:
    """What a browser makes of a request, as this configuration would have it answered."""
    simulation = Simulation(config.compiled.table)
    fetched = run(request, simulation.send)
    return Obstacle(fetched, simulation.exchanges[-1] if simulation.exchanges else None)


def find_fix(config: WrittenConfig, request: Request) -> Fix | NoFix | None:
    """The smallest change that lets a request pass; None when it passes already."""
    present, edits = config, list[Edit]()
    for _ in range(_MOST):
        obstacle = ask(present, request)
        if obstacle.fetched.verdict.allowed:
            break
        try:
            edit = _edit(present, request, obstacle)
            if isinstance(edit, NoFix):
                return edit
            present = _applied(present, edit)
        except InvalidConfig as invalid:
            return NoFix(f"the change that is asked for is refused: {invalid.problems[0].message}")
        edits.append(edit)
    else:
        return NoFix("no change of a few lines does it")
    if not edits:
        return None
    return Fix(present.text, _diff(config, present), tuple(_allows(present, edits)), tuple(_warnings(present, edits)))


def _edit(config: WrittenConfig, request: Request, obstacle: Obstacle) -> Edit | NoFix:
    """The change that the obstacle asks for."""
    last = obstacle.last
    if last is None:
        return NoFix("the browser refuses this request before it sends anything")
    if last.rule is None or last.decision is None:
        rules = [rule.name for rule in config.compiled.table.rules]
        more = ", ..." if len(rules) > _RULES_NAMED else ""
        return NoFix(f"{last.own}; the rules are for {', '.join(rules[:_RULES_NAMED])}{more}")
    path = config.policy_path(last.rule)
    if last.rule.policy is None or path is None:
        return _adopted(config, last.rule, request)
    if last.decision.outcome.denied:
        return _granted(path, last.rule.policy, last.decision)
    # All that a policy keeps back of what it allows is credentials: the imagined upstream does nothing wrong.
    return _credentials(path, last.rule.policy, request)


def _granted(path: Path, policy: Policy, decision: Decision) -> Edit | NoFix:
    subject = decision.subject.decode("latin-1")
    if is_hopeless(decision):
        return NoFix(advice(decision, policy.name))
    match decision.outcome:
        case Outcome.DENIED_ORIGIN | Outcome.PREFLIGHT_DENIED_ORIGIN:
            return _origin(path, policy, subject)
        case Outcome.PREFLIGHT_DENIED_METHOD:
            return Edit(path, "allow_methods", added=(subject,))
        case _:  # headers; private network access is nothing that the browser model asks for
            return Edit(path, "allow_headers", added=tuple(name.strip() for name in subject.split(",")))


def _origin(path: Path, policy: Policy, origin: str) -> Edit:
    """The flag first that the origin needs, since a list that holds it without the flag would not load."""
    if origin == "null" and not policy.spec.dangerously_allow_null:
        return Edit(path, "dangerously_allow_null", value=True)
    if policy.spec.allow_credentials and _needs_insecure_flag(policy, origin):
        return Edit(path, "dangerously_allow_insecure_origins", value=True)
    return Edit(path, "allow_origins", added=(origin,))


def _needs_insecure_flag(policy: Policy, origin: str) -> bool:
    if origin == "null" or policy.spec.dangerously_allow_insecure_origins:
        return False
    scheme, host, _ = parse_origin(origin)
    return is_insecure(scheme, host)


def _credentials(path: Path, policy: Policy, request: Request) -> Edit | NoFix:
    origin = request.origin.decode("latin-1")
    if origin == "null":
        return NoFix("no policy gives credentials to null, which is any sandboxed frame on any site")
    if _needs_insecure_flag(policy, origin):
        return Edit(path, "dangerously_allow_insecure_origins", value=True)
    if policy.spec.allow_origins == ("*",):
        return Edit(path, "allow_origins", value=(origin,))
    return Edit(path, "allow_credentials", value=True)


def _adopted(config: WrittenConfig, rule: Rule, request: Request) -> Edit | NoFix:
    """A rule without a policy gets one for this page."""
    index = config.index_of(rule)
    if config.compiled.config.rules[index].upstream_cors == "keep":
        return NoFix(
            "the rule has `upstream_cors: keep`, so the upstream decides; remove that key and give the rule a policy"
        )
    origin = request.origin.decode("latin-1")
    try:
        parse_origin(origin)
    except InvalidOrigin:
        return NoFix("the rule has no policy, and the page has no origin that a policy should allow")
    return Edit(("rules", index), "policy", value=origin)


def _applied(config: WrittenConfig, edit: Edit) -> WrittenConfig:
    """The configuration after an edit; raises NotEditable or InvalidConfig."""
    path, key = edit.path, edit.key
    if key == "policy":
        return config.changed(replace(config.text, (*path, key), f"{{allow_origins: {dumped((str(edit.value),))}}}"))
    if edit.value is not None:
        return config.changed(set_key(config.text, path, key, edit.value))
    text = config.text
    for entry in edit.added:
        text = _with_entry(text, (*path, key), entry)
    return config.changed(text)


_DEFAULTS: Final = {"allow_methods": ("GET", "HEAD", "POST")}


def _with_entry(text: str, path: Path, entry: str) -> str:
    *policy, key = path
    try:
        return add_entry(text, path, entry)
    except NotEditable:  # the key was left out
        return set_key(text, tuple(policy), str(key), (*_DEFAULTS.get(str(key), ()), entry))


def _diff(before: WrittenConfig, after: WrittenConfig) -> str:
    lines = difflib.unified_diff(
        before.text.splitlines(), after.text.splitlines(), before.file, after.file, lineterm="", n=2
    )
    return "\n".join(lines)


def _allows(config: WrittenConfig, edits: list[Edit]) -> Iterator[str]:
    """What every edit grants beyond the one request, in terms of who may do what."""
    for edit in edits:
        rules = _rules_under(config, edit.path)
        policy = next((rule.policy for rule in rules if rule.policy), None)
        where = ", ".join(rule.name for rule in rules)
        cookies = ", with cookies" if policy and policy.spec.allow_credentials else ""
        if edit.key in {"allow_origins", "policy"}:
            origin = ", ".join(edit.added) or dumped(edit.value or "").strip("[]")
            yield f"every page of {origin} may read the answers of {where}{cookies}"
        elif edit.key in {"allow_methods", "allow_headers"}:
            verb = "send" if edit.key == "allow_methods" else "send the header"
            yield f"every page that the policy lists may {verb} {', '.join(edit.added)} to {where}{cookies}"
        elif edit.key == "allow_credentials":
            yield f"every page that the policy lists acts with its visitor's cookies at {where}"


def _rules_under(config: WrittenConfig, path: Path) -> list[Rule]:
    """The rules that a change at this path concerns."""
    rules = config.compiled.table.rules
    if path[0] == "rules":
        return [rule for rule in rules if config.index_of(rule) == path[1]]
    paths = [(rule, config.policy_path(rule)) for rule in rules if rule.policy is not None]
    return [rule for rule, its in paths if its is not None and config.same(its, path)]


def _warnings(config: WrittenConfig, edits: list[Edit]) -> Iterator[str]:
    for edit in edits:
        if edit.key == "dangerously_allow_null":
            yield "null is the origin of any sandboxed frame on any site; give the page an origin of its own instead"
        if edit.key == "dangerously_allow_insecure_origins":
            yield "pages over http can be changed by anyone on the way, who then acts as the user; serve them by https"
        if edit.key == "allow_origins" and edit.value is not None:
            yield "pages of other origins lose what * gave them; leave credentials out of the request if it needs none"
        for origin in edit.added if edit.key == "allow_origins" else ():
            yield from _suspicions(config, edit.path, origin)


def _suspicions(config: WrittenConfig, path: Path, origin: str) -> Iterator[str]:
    if origin == "null":
        return
    parsed = parse_origin(origin)
    policy = next((rule.policy for rule in _rules_under(config, path) if rule.policy), None)
    listed = [other for other in policy.spec.allow_origins if other != origin] if policy else []
    for other in listed:
        if other not in {"*", "null"} and "*" not in other and resembles(parsed.host, parse_origin(other).host):
            yield f"{origin} resembles {other} and belongs to somebody else, unless you know better"
            return
    if is_loopback(parsed.host) and any(
        not is_loopback(parse_origin(o).host) for o in listed if "*" not in o and o != "null"
    ):
        yield "every program on a visitor's own machine can serve pages of a loopback origin; keep it out of production"
