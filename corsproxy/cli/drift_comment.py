"""What ``serve`` says to people of an exchange besides its verdict: an upstream with CORS headers of its own."""

from __future__ import annotations

from typing import Final

from corsproxy.cli.remarks import Comment, Remark
from corsproxy.proxy.exchange import Exchange
from corsproxy.server.drift import Drift

_NOTHING: Final = Comment()


class DriftComment:
    """Comments on the first exchange in which an upstream sends a set of CORS headers."""

    def __init__(self) -> None:
        self._drift = Drift()

    def __call__(self, exchange: Exchange) -> Comment:
        """The comment on an exchange."""
        drifted = self._drift.meet(exchange)
        if drifted is None:
            return _NOTHING
        return Comment(remarks=(Remark("drift", f"{drifted.message}; {drifted.fix}"),))
