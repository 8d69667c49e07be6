"""What the client is told of a request that never became one: its head came too late, was too large or unreadable."""

from __future__ import annotations

from typing import Final

from aiohttp.http_exceptions import LineTooLong

from corsproxy.http.answers import OwnAnswer

UNKNOWN_METHOD: Final = OwnAnswer(501, "the method is not known here; methods are case-sensitive, so ask for PATCH")


class Refused(Exception):
    """Why a connection is refused."""

    def __init__(self, own: OwnAnswer) -> None:
        super().__init__(own.detail)
        self.own = own


def own_answer(error: BaseException, too_large: OwnAnswer) -> OwnAnswer:
    """What the client is told of a head that could not be read; ``too_large`` where that is why."""
    if isinstance(error, Refused):
        return error.own
    if isinstance(error, LineTooLong) or "Too many headers" in str(error):
        return too_large
    return OwnAnswer(400, "the request is malformed")
