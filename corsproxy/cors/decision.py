"""The decision: what a policy says of one request, as a value.

It is taken once, by ``Policy``, and read by everything else: the response, the access log, the metrics, the
explanation.  Nobody decides a second time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from corsproxy.cors.outcome import Outcome

__all__ = ["NO_POLICY", "Decision", "Outcome"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy grants to one request.

    ``lines`` are the header lines to add to the answer, as bytes, each ended by CRLF, without Vary.
    ``vary`` are the request headers that the answer depends on, for merging with the upstream's own Vary;
    ``vary_line`` is the line where the upstream has none.  ``denied`` is the outcome's word for it.
    ``exposes_actual`` asks whoever writes the response to name the response's own headers in
    Access-Control-Expose-Headers, since ``*`` is literal with credentials
    (https://fetch.spec.whatwg.org/#http-access-control-expose-headers).
    ``subject`` is what was denied: the origin, the method, or the header names; b"" when nothing was.
    """

    outcome: Outcome
    lines: bytes = b""
    vary: tuple[bytes, ...] = ()
    exposes_actual: bool = False
    subject: bytes = b""
    vary_line: bytes = field(init=False, repr=False, compare=False)
    denied: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "denied", self.outcome.denied)
        object.__setattr__(self, "vary_line", b"Vary: %b\r\n" % b", ".join(self.vary) if self.vary else b"")


NO_POLICY: Final = Decision(Outcome.NO_POLICY)
"""The one decision where nothing is decided: no rule is known, or its rule leaves CORS to the upstream."""
