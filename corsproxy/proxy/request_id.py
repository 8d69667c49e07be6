"""The name of a request, where the configuration asks for one: for the upstream, and for the log.

A trusted proxy in front has given the request its name already, and its log is the place where somebody will look for
it.  Of anybody else a name is not believed: whoever chooses it could make two requests look like one.
"""

from __future__ import annotations

import os
import re

from corsproxy.config.table import RuleTable
from corsproxy.proxy.arrival import Arrival
from corsproxy.proxy.plan import Answer, Forward

# What proxies and frameworks make: UUIDs, hexadecimal digits, base64, Heroku's and Amazon's forms.
_VALID = re.compile(rb"[A-Za-z0-9._~:;=/+@-]{1,128}")


def identified(planned: Answer | Forward, table: RuleTable, arrival: Arrival) -> Answer | Forward:
    """The plan for a request that has a name, with its line; the client's own line has been left out by the rule."""
    received = arrival.head.fields.all(table.request_id.lower())
    name = received[0] if len(received) == 1 and _is_believed(received[0], table, arrival) else _new_name()
    arrival.exchange.request_id = name
    if isinstance(planned, Answer):
        return planned
    named = planned.under(planned.rule, planned.decision)  # the plan serves other requests, too
    named.lines += b"%b: %b\r\n" % (table.request_id, name)
    return named


def _is_believed(name: bytes, table: RuleTable, arrival: Arrival) -> bool:
    return table.forwarding.trusts(arrival.client.peer) and _VALID.fullmatch(name) is not None


def _new_name() -> bytes:
    """128 random bits: nobody can guess the next one, and no two processes need to agree."""
    return os.urandom(16).hex().encode()
