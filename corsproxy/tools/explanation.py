"""One explanation, everywhere: what a browser makes of a request, why, in its own words, and what to change.

``explain`` asks a configuration, ``explain_answers`` takes whatever a server has answered, recorded or live.  Both run
the browser model over the answers and read everything off its verdict and the policy's decision; a terminal, a page and
JSON show the same value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from corsproxy.config.table import Rule
from corsproxy.cors.browser import Fetched, run
from corsproxy.cors.check import Step as Stage
from corsproxy.cors.decision import Decision
from corsproxy.cors.fetch import Request, WireRequest, WireResponse, values_of
from corsproxy.cors.firefox import firefox
from corsproxy.cors.safari import safari
from corsproxy.cors.words import chromium
from corsproxy.tools.fix import Fix, NoFix, find_fix
from corsproxy.tools.lookalikes import lookalikes
from corsproxy.tools.simulation import Exchanged, Simulation
from corsproxy.tools.steps import Step, steps_of
from corsproxy.tools.written_config import WrittenConfig

FETCH = "fetch"  # Chromium's word for who asked, unless it is known better


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that there is to say about one request of a page."""

    request: Request
    fetched: Fetched
    exchanges: tuple[Exchanged, ...]
    steps: tuple[Step, ...]
    sentences: Mapping[str, str]  # browser -> what its console prints; empty when nothing was blocked
    rule: Rule | None = None
    decision: Decision | None = None
    policy_where: str = ""  # config.yaml:12:7
    fix: Fix | NoFix | None = None
    lookalikes: tuple[str, ...] = ()  # what only looks like CORS

    @property
    def blocked(self) -> bool:
        """Whether the page does not get the answer."""
        return not self.fetched.verdict.allowed


def explain(config: WrittenConfig, request: Request, initiator: str = FETCH) -> Explanation:
    """What a page would get under a configuration, its upstream being imagined as one without CORS.

    ``initiator`` is Chromium's word for who asks (see ``cors.words.chromium``).
    """
    simulation = Simulation(config.compiled.table)
    fetched = run(request, simulation.send)
    fix = None if fetched.verdict.allowed else find_fix(config, request)
    return _explanation(request, simulation.exchanges, fetched, initiator, config, fix)


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
    fix = None if config is None or fetched.verdict.allowed else find_fix(config, request)
    return _explanation(request, exchanges, fetched, initiator, config, fix)


def _explanation(
    request: Request,
    exchanges: Sequence[Exchanged],
    fetched: Fetched,
    initiator: str,
    config: WrittenConfig | None,
    fix: Fix | NoFix | None,
) -> Explanation:
    ruled = _ruled(config, request) if config is not None else None
    rule = ruled.rule if ruled else None
    path = config.policy_path(rule) if config and rule else None
    return Explanation(
        request=request,
        fetched=fetched,
        exchanges=tuple(exchanges),
        steps=steps_of(request, exchanges, fetched),
        sentences=sentences(request, exchanges, fetched, initiator),
        rule=rule,
        decision=ruled.decision if ruled else None,
        policy_where=config.where(path) if config and path else "",
        fix=fix,
        lookalikes=lookalikes(request, exchanges, fetched),
    )


def _ruled(config: WrittenConfig, request: Request) -> Exchanged | None:
    """The exchange that a rule of this configuration decides: the last one of the simulated fetch."""
    simulation = Simulation(config.compiled.table)
    run(request, simulation.send)
    return simulation.exchanges[-1] if simulation.exchanges else None


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
    return {
        "Chromium": chromium(verdict, url=request.url, origin=origin, initiator=initiator),
        "Firefox": firefox(verdict, url=verdict.url or request.url, status=status, lines=lines),
        "Safari": safari(verdict, url=request.url, origin=origin, status=status, initiator=initiator),
    }


def stage_of(explanation: Explanation) -> Stage:
    """Whose answer was refused."""
    return explanation.fetched.verdict.step
