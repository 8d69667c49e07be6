"""The words for what a policy can decide.

They stand in a file of their own, which is never compiled: mypyc knows no ``__init__`` of an enum's members.
"""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """One word for what was decided; the same word in logs, metrics and tests."""

    NO_POLICY = "no-policy"  # the rule forwards and adds nothing (policy: none, or upstream_cors: keep)
    NOT_CORS = "not-cors"  # the request has no Origin header
    SAME_ORIGIN = "same-origin"  # the page and the API share an origin, so CORS does not apply
    ALLOWED = "allowed"
    DENIED_ORIGIN = "denied-origin"
    PREFLIGHT_ALLOWED = "preflight-allowed"
    PREFLIGHT_DENIED_ORIGIN = "preflight-denied-origin"
    PREFLIGHT_DENIED_METHOD = "preflight-denied-method"
    PREFLIGHT_DENIED_HEADERS = "preflight-denied-headers"
    PREFLIGHT_DENIED_PRIVATE_NETWORK = "preflight-denied-private-network"

    denied: bool  # whether a browser will keep the answer from the page because of the policy
    number: int  # from 0 on, for whoever keeps a list with a place for each

    def __init__(self, word: str) -> None:
        self.denied = "denied" in word
        self.number = len(type(self).__members__)
