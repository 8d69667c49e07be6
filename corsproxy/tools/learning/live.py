"""Learning from the exchanges of this process: an observer of the data plane.

    learner = Learner(Places(table))
    server = Server(compiled, learner)      # or beside another observer
    ...
    proposal = propose(learner.evidence.kinds(), Basis(config))

Rules: an exchange costs a look at its header lines and no more; memory is bounded, as that of all evidence is; one
process is seen, so that a proxy with several workers cannot learn this way.
"""

from __future__ import annotations

import time
from typing import Final

from corsproxy.http.needs import Needs, needs_of
from corsproxy.proxy.exchange import Exchange
from corsproxy.tools.learning.evidence import Evidence, Seen
from corsproxy.tools.learning.places import Places

SOURCE: Final = "live"


class Learner:
    """An observer that keeps evidence."""

    def __init__(self, places: Places) -> None:
        self.evidence = Evidence(places)

    def __call__(self, exchange: Exchange) -> None:
        """Count an exchange."""
        self.evidence.add(
            Seen(
                exchange.origin.decode("latin-1"),
                exchange.host.decode("latin-1"),
                exchange.target.decode("latin-1"),
                _needs(exchange),
                exchange.status,
                time.time(),
                exchange.client,
                SOURCE,
            )
        )


def _needs(exchange: Exchange) -> Needs | None:
    if not exchange.origin:
        return None
    asked = ((line.name, line.value) for line in exchange.passed)
    answered = ((name.lower(), value) for name, value in exchange.answered)
    return needs_of(exchange.method, asked, answered, exchange.status, websocket=exchange.websocket)
