"""The response head toward the client, as bytes.  Pure.

What the upstream says about its own connection stays behind; what it says about CORS is replaced by what the decision
grants, whole (https://fetch.spec.whatwg.org/#http-responses), so that nothing of the upstream's can widen or double it.
Everything else passes in its order and case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from corsproxy.config.table import Rule
from corsproxy.cors.decision import Decision
from corsproxy.http.fields import merge_vary
from corsproxy.http.references import rewrite_link, rewrite_refresh
from corsproxy.proxy.framing import CHUNKED, NO_BODY, UNTIL_CLOSE, Framing
from corsproxy.proxy.plan import Forward
from corsproxy.proxy.received import REWRITTEN, ReceivedLine, ResponseHead

# https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name: readable by every page that may read at all;
# Set-Cookie is never readable (#forbidden-response-header-name), so naming it would be noise.
_NEVER_EXPOSED: Final = frozenset(
    {
        b"cache-control", b"content-language", b"content-length", b"content-type", b"expires", b"last-modified",
        b"pragma", b"set-cookie", b"set-cookie2",
    }
)  # fmt: skip


class Delivery:
    """How the response reaches this client: the framing of its body there, and whether the connection ends with it."""

    __slots__ = ("closes", "framing", "version")

    def __init__(self, framing: Framing, *, closes: bool, version: bytes) -> None:
        self.framing = framing
        self.closes = closes
        self.version = version  # the client's


def delivery(framing: Framing, *, version: bytes, closes: bool) -> Delivery:
    """The client's framing of a body that the upstream framed as ``framing``.

    A body of unknown length becomes chunked, so that the connection lives on and its end is certain; an HTTP/1.0 client
    knows no chunks, so that its connection must end instead (https://www.rfc-editor.org/rfc/rfc9112#section-6.1).
    """
    if framing is not CHUNKED and framing is not UNTIL_CLOSE:
        return Delivery(framing, closes=closes, version=version)
    if version == b"1.0":
        return Delivery(UNTIL_CLOSE, closes=True, version=version)
    return Delivery(CHUNKED, closes=closes, version=version)


class Told:
    """A head that repeats, as a client was told it: the bytes serve whoever would be told the same.

    Nothing else than what stands here has a say: no line of such a head is rewritten for what the client addressed.
    """

    __slots__ = ("_closes", "_date", "_decision", "_framing", "_treatment", "_version", "data", "delivered")

    def __init__(  # as it was written, and all that it depends on
        self,
        forward: Forward,
        head: ResponseHead,
        framing: Framing,
        delivered: Delivery,
        date: Callable[[], bytes],
        data: bytes,
    ) -> None:
        self._treatment = forward.rule.treatment
        self._decision = forward.decision
        self._framing = framing  # the upstream's
        self._version = delivered.version
        self._closes = delivered.closes
        self._date = date() if _lacks_date(head, _dropped(forward.rule, head)) else b""
        self.delivered = delivered
        self.data = data

    def serves(
        self, forward: Forward, framing: Framing, version: bytes, date: Callable[[], bytes], *, closes: bool
    ) -> bool:
        """Whether another client is told the same."""
        return (
            self._decision is forward.decision
            and self._treatment is forward.rule.treatment
            and self._framing is framing
            and self._version == version
            and self._closes == closes
            and (not self._date or self._date == date())
        )


def response_head(forward: Forward, head: ResponseHead, delivered: Delivery, date: Callable[[], bytes]) -> bytes:
    """The whole head, for a final response; ``date`` tells the IMF-fixdate, for an upstream without a clock."""
    rule, decision = forward.rule, forward.decision
    dropped = _dropped(rule, head)
    # No plain line is among what every rule drops.
    everyday = dropped is rule.treatment.response_drops and not rule.response_edits.removed
    lines = [head.start.line]
    lines += [line.whole if line.plain and everyday else _judged(forward, line, dropped) for line in head.lines]
    if _lacks_date(head, dropped):
        # https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1: a recipient with a clock adds what is missing.
        lines.append(b"Date: %b\r\n" % date())
    lines.append(rule.response_edits.lines)
    if rule.policy is not None:
        exposed = _exposed(head, dropped) if decision.exposes_actual else b""
        lines.append(cors_lines(decision, head.all(b"vary"), exposed))
    if delivered.framing is CHUNKED:
        lines.append(b"Transfer-Encoding: chunked\r\n")
    lines.append(connection_lines(delivered.version, closes=delivered.closes))
    return b"".join(lines)


def cors_lines(decision: Decision, vary: Sequence[bytes] = (), exposed: bytes = b"") -> bytes:
    """What the decision grants, and the line that exposes the answer's own; its Vary is merged into the upstream's."""
    lines = decision.lines + exposed if exposed else decision.lines
    if not vary:
        return lines + decision.vary_line
    merged = merge_vary(vary, decision.vary)
    return lines + b"Vary: %b\r\n" % merged if merged else lines


def connection_lines(version: bytes, *, closes: bool) -> bytes:
    """What a client of that version is told of its own connection, and the empty line that ends the head."""
    if closes:
        return b"Connection: close\r\n\r\n"
    return b"Connection: keep-alive\r\n\r\n" if version == b"1.0" else b"\r\n"


def interim_head(forward: Forward, head: ResponseHead) -> bytes:
    """A 1xx response, passed on (https://www.rfc-editor.org/rfc/rfc9110#section-15.2)."""
    rule, authority = forward.rule, forward.authority
    dropped = _dropped(rule, head)
    lines = [head.start.line]
    lines += [
        _value_rewritten(rule, authority, line)
        for line in head.lines
        if line.name not in dropped and not is_grant(line.name)
    ]
    return b"".join(lines) + b"\r\n"


def switching_head(forward: Forward, head: ResponseHead, date: Callable[[], bytes]) -> bytes:
    """The 101 that ends HTTP on this connection; its Connection and Upgrade lines are written anew."""
    delivered = Delivery(NO_BODY, closes=False, version=b"1.1")
    lines = response_head(forward, head, delivered, date)
    return lines[:-2] + b"Connection: Upgrade\r\nUpgrade: %b\r\n\r\n" % forward.upgrade


def _lacks_date(head: ResponseHead, dropped: frozenset[bytes]) -> bool:
    """Whether the proxy writes the date, for want of the upstream's."""
    return b"date" in dropped or not head.all(b"date")


def _exposed(head: ResponseHead, dropped: frozenset[bytes]) -> bytes:
    names = {line.name for line in head.lines if not is_grant(line.name)} - _NEVER_EXPOSED - dropped
    return b"Access-Control-Expose-Headers: %b\r\n" % b", ".join(sorted(names)) if names else b""


def _judged(forward: Forward, line: ReceivedLine, dropped: frozenset[bytes]) -> bytes:
    """A line as it reaches the client; b"" when it does not, or when the policy speaks in its place."""
    rule = forward.rule
    if line.name in dropped:
        return b""
    if rule.policy is not None and is_grant(line.name):
        return b""
    return _value_rewritten(rule, forward.authority, line)


def _value_rewritten(rule: Rule, authority: bytes, line: ReceivedLine) -> bytes:
    if line.name not in REWRITTEN:
        return line.whole
    written, value = line.field
    return b"%b: %b\r\n" % (written, rewritten(rule, authority, line.name, value))


def _dropped(rule: Rule, head: ResponseHead) -> frozenset[bytes]:
    dropped = rule.treatment.response_drops
    if head.options and not head.options <= dropped:
        dropped |= head.options
    if head.status == 204 or head.status < 200:  # RFC 9110 8.6: no Content-Length in 1xx and 204
        dropped |= {b"content-length"}
    return dropped


def is_grant(name: bytes) -> bool:
    """Whether a response header grants something across origins, and so is the policy's to give.

    Timing-Allow-Origin is such a grant (https://www.w3.org/TR/resource-timing/#sec-timing-allow-origin).
    Cross-Origin-Resource-Policy is a restriction: the upstream's passes unless the policy sets its own.
    """
    return name.startswith(b"access-control-") or name == b"timing-allow-origin"


def rewritten(rule: Rule, authority: bytes, name: bytes, value: bytes) -> bytes:
    """A value of one of the fields in REWRITTEN as the client must see it, who addressed ``authority``."""
    if name == b"set-cookie":
        return value if rule.cookies is None else rule.cookies.rewrite(value)
    location = rule.location
    if location is None:
        return value
    if name == b"link":
        return rewrite_link(value, lambda reference: location.rewrite(reference, authority))
    if name == b"refresh":
        return rewrite_refresh(value, lambda reference: location.rewrite(reference, authority))
    return location.rewrite(value, authority)
