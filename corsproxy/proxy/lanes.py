"""Which lanes a client's connection has: both, or aiohttp's alone.

The fast lane is turned off by CORSPROXY_FAST_LANE=off, which changes nothing but speed, and by itself, with a warning,
where aiohttp has changed in what the lane relies on.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler

from corsproxy.proxy.fast_lane import FastDownstream
from corsproxy.proxy.listener import Downstream

log: Final = logging.getLogger("corsproxy")

SWITCH: Final = "CORSPROXY_FAST_LANE"

# Beyond what the ordinary lane relies on; tests/proxy/test_listener_contract.py says what each means.
_NEEDED: Final = (
    "_keepalive_timeout",
    "_messages",
    "_next_keepalive_close_time",
    "_pause_transport_reading",
    "_process_keepalive",
    "_resume_transport_reading",
    "_waiter",
    "close",
)


def lanes(environment: Mapping[str, str]) -> type[Downstream]:
    """The connections that this process makes."""
    if environment.get(SWITCH, "").lower() in {"off", "0", "false", "no"}:
        return Downstream
    missing = [name for name in _NEEDED if not hasattr(RequestHandler, name)]
    if missing or not EMPTY_PAYLOAD.is_eof():
        what = ", ".join(missing) or "its empty payload"
        log.warning("aiohttp has changed in %s: every request takes the ordinary, slower lane", what)
        return Downstream
    return FastDownstream
