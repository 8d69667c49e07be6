"""One explanation, everywhere: what a browser makes of a request, why, in its own words, and what to change.

``explain`` asks a configuration, ``explain_answers`` takes whatever a server has answered, recorded or live, and
``explain_verdict`` has a browser's message alone.  Everything is read off the browser model's verdict and the policy's
decision; a terminal, a page and JSON show the same value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from corsproxy.config.table import Rule
from corsproxy.cors.browser import Fetched, run
from corsproxy.cors.check import Blocked, Verdict
from corsproxy.cors.decision import Decision
from corsproxy.cors.fetch import (
    Credentials,
    Request,
    Tainting,
    WireRequest,
    WireResponse,
    get,
    members,
    values_of,
)
from corsproxy.cors.firefox import firefox
from corsproxy.cors.safari import safari
from corsproxy.cors.words import chromium
from corsproxy.tools.explaining.demands import Needed, needed, remedy
from corsproxy.tools.explaining.fix import Fix, NoFix, find_fix
from corsproxy.tools.explaining.lookalikes import lookalikes, lookalikes_before, nearly_listed, other_port
from corsproxy.tools.explaining.steps import Step, steps_before, steps_of
from corsproxy.tools.simulation import Exchanged, Simulation
from corsproxy.tools.written_config import WrittenConfig

ELSEWHERE = NoFix("this configuration allows the request: another one is running, or another server answered")
FETCH = "fetch"  # Chromium's word for who asked, unless it is known better


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that there is to say about one request of a page."""

    request: Request
    fetched: Fetched
    exchanges: tuple[Exchanged, ...]  # none where only a browser's message is known
    steps: tuple[Step, ...]
    sentences: Mapping[str, str]  # browser -> what its console prints; empty when nothing was blocked
    rule: Rule | None = None
    decision: Decision | None = None
    fix: Fix | NoFix | None = None
    needed: tuple[Needed, ...] = ()  # what the server has to answer, where it is not this proxy's to say
    lookalikes: tuple[str, ...] = ()  # what only looks like CORS

    @property
    def blocked(self) -> bool:
        """Whether the page does not get the answer."""
        return not self.fetched.verdict.allowed

    @property
    def unclear(self) -> bool:
        """Whether a browser has blocked what this configuration allows, as far as is known of it."""
        return not self.blocked and self.fix is not None


def explain(config: WrittenConfig, request: Request, initiator: str = FETCH) -> Explanation:
    """What a page would get under a configuration, its upstream being imagined as one without CORS.

    ``initiator`` is Chromium's word for who asks (see ``cors.words.chromium``).
    """
    simulation = Simulation(config.compiled.table)
    fetched = run(request, simulation.send)
    explanation = _explanation(request, simulation.exchanges, fetched, initiator)
    return _under(config, explanation, simulation.exchanges)


def explain_answers(
    request: Request,
    send: Callable[[WireRequest], WireResponse],
    config: WrittenConfig | None = None,
    initiator: str = FETCH,
) -> Explanation:
    """What a page gets of a server that really answers, through ``send``; a ``config`` may say how to mend it."""
    exchanges: list[Exchanged] = []

    def sent(asked: WireRequest) -> WireResponse:
        answered = send(asked)
        exchanges.append(Exchanged(asked, answered))
        return answered

    fetched = run(request, sent)
    explanation = _explanation(request, exchanges, fetched, initiator)
    if config is None:
        return unaided(explanation)
    simulation = Simulation(config.compiled.table)
    run(request, simulation.send)
    return _under(config, explanation, simulation.exchanges)


def explain_verdict(request: Request, verdict: Verdict, initiator: str = FETCH) -> Explanation:
    """What a verdict says by itself, where neither a configuration nor an answer is known."""
    fetched = Fetched(verdict, Tainting.CORS)
    said = chromium(verdict, url=request.url, origin=request.origin.decode("latin-1"), initiator=initiator)
    steps = steps_before(request, fetched)
    return unaided(Explanation(request, fetched, (), steps, {"Chromium": said}, lookalikes=lookalikes_before(request)))


def unaided(explanation: Explanation) -> Explanation:
    """The explanation with what the server has to answer, where no configuration can be changed."""
    blocked = explanation.fetched.verdict.blocked
    if blocked is None:
        return explanation
    request = explanation.request
    return replace(explanation, fix=NoFix(remedy(request, blocked)), needed=needed(request, blocked))


def _explanation(request: Request, exchanges: Sequence[Exchanged], fetched: Fetched, initiator: str) -> Explanation:
    return Explanation(
        request=request,
        fetched=fetched,
        exchanges=tuple(exchanges),
        steps=steps_of(request, exchanges, fetched),
        sentences=sentences(request, exchanges, fetched, initiator),
        lookalikes=lookalikes(request, exchanges, fetched),
    )


def _under(config: WrittenConfig, explanation: Explanation, simulated: Sequence[Exchanged]) -> Explanation:
    """The explanation with the rule that decides in this configuration, and with the change of it that helps."""
    last = simulated[-1] if simulated else None
    policy = last.rule.policy if last and last.rule else None
    nearly = nearly_listed(policy, explanation.request) if policy else ()
    return replace(
        explanation,
        rule=last.rule if last else None,
        decision=last.decision if last else None,
        fix=(find_fix(config, explanation.request) or ELSEWHERE) if explanation.blocked else None,
        lookalikes=(*explanation.lookalikes, *nearly, *other_port(config.compiled.listen, explanation.request)),
    )


def sentences(
    request: Request, exchanges: Sequence[Exchanged], fetched: Fetched, initiator: str = FETCH
) -> Mapping[str, str]:
    """What each browser prints; nothing when the page got its answer."""
    verdict = fetched.verdict
    if verdict.allowed:
        return {}
    origin, last = request.origin.decode("latin-1"), exchanges[-1] if exchanges else None
    status = last.answered.status if last else 0
    lines = len(values_of(last.answered.headers, b"access-control-allow-origin")) if last else 0
    said = {
        "Chromium": chromium(verdict, url=request.url, origin=origin, initiator=initiator),
        "Firefox": firefox(verdict, url=verdict.url or request.url, status=status, lines=lines),
        "Safari": safari(verdict, url=request.url, origin=origin, status=status, initiator=initiator),
    }
    if verdict.blocked is Blocked.HEADER and last and stands_for_all(request, last.answered):
        del said["Chromium"]
    return said


def stands_for_all(request: Request, preflight: WireResponse) -> bool:
    """Whether Chromium takes a ``*`` for the one header that the standard excepts, Authorization.

    tests/browser/test_oracle.py has what Chromium 156 does (https://fetch.spec.whatwg.org/#http-new-header-syntax).
    """
    names = members(get(preflight.headers, b"access-control-allow-headers") or b"")
    return b"*" in names and request.credentials is not Credentials.INCLUDE
