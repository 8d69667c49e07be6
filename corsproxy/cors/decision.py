"""The decision: what a policy says of one request, as a value.

It is taken once, by ``Policy``, and read by everything else: the response, the access log, the metrics, the
explanation.  Nobody decides a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from corsproxy.cors.outcome import Outcome

__all__ = ["NO_POLICY", "Decision", "Outcome"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy grants to one request.

    ``lines`` are the header lines to add to the answer, as bytes, each ended by CRLF, without Vary.
    ``vary`` are the request headers that the answer depends on, for merging with the upstream's own Vary.
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


NO_POLICY: Final = Decision(Outcome.NO_POLICY)
"""The one decision where nothing is decided: no rule is known, or its rule leaves CORS to the upstream."""
