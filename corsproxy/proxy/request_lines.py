"""The header lines of the request toward the upstream, as bytes.  Pure.

End-to-end lines keep their order, case and duplicates; what belongs to the client's own connection stays behind
(https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1); this proxy's own lines come last, so that no line of the client
can remove or precede them.
"""

from __future__ import annotations

from corsproxy.config.table import Rule
from corsproxy.cors.decision import Decision
from corsproxy.http.forwarded import Forwarding
from corsproxy.http.referer import with_origin
from corsproxy.proxy.framing import Framing, Kind
from corsproxy.proxy.request import Client, Fields, Line

TELLING_THE_PAGE = frozenset({b"origin", b"referer", b"sec-fetch-site"})


def request_lines(
    forwarding: Forwarding,
    rule: Rule,
    decision: Decision,
    client: Client,
    authority: bytes,
    fields: Fields,
    version: bytes,
) -> bytes:
    """Every end-to-end line but Host, then X-Forwarded-*, Via and the rule's own."""
    dropped = fields.nominated() | rule.request_edits.removed
    own_origin = origin_in_place(rule, decision)
    if dropped or own_origin is not None:
        lines = [_as_told(line, own_origin) for line in fields.passed if line.name not in dropped]
    else:
        lines = [line.whole for line in fields.passed]
    own = forwarding.lines(client.peer, client.tls, authority, fields.forwarded, version)
    lines.append(_without(rule.request_edits.removed, own) if rule.request_edits.removed else own)
    lines.append(rule.request_edits.lines)
    return b"".join(lines)


def origin_in_place(rule: Rule, decision: Decision) -> bytes | None:
    """The origin that the upstream sees in place of the page's; b"": none at all; None: the page's own.

    What the policy denies is never disguised: an upstream that refuses foreign origins must see that this is one.
    """
    return None if decision.outcome.denied else rule.forward_origin


def retold(own_origin: bytes, name: bytes, value: bytes) -> bytes | None:
    """A value of one of the fields in TELLING_THE_PAGE as the upstream sees it; None: not at all."""
    # What compares the page with this proxy would contradict an Origin that is the rule's, so it goes.
    if not own_origin or name == b"sec-fetch-site":
        return None
    return own_origin if name == b"origin" else with_origin(value, own_origin)


def _as_told(line: Line, own_origin: bytes | None) -> bytes:
    """A line as the upstream sees it; b"": not at all."""
    if own_origin is None or line.name not in TELLING_THE_PAGE:
        return line.whole
    told = retold(own_origin, line.name, line.value)
    return b"" if told is None else b"%b: %b\r\n" % (line.written, told)


def _without(removed: frozenset[bytes], lines: bytes) -> bytes:
    """The lines of this proxy, less those that the rule sets itself or does not want."""
    kept = [line for line in lines.splitlines(keepends=True) if line.partition(b":")[0].lower() not in removed]
    return b"".join(kept)


def hop_lines(framing: Framing, upgrade: bytes, expects_continue: bool, wants_trailers: bool) -> bytes:  # noqa: FBT001  # values of the request, not switches
    """The lines that concern this proxy's own connection to the upstream."""
    lines = b""
    if framing.kind is Kind.CHUNKED:
        lines += b"Transfer-Encoding: chunked\r\n"
    if expects_continue:
        lines += b"Expect: 100-continue\r\n"
    if upgrade:
        lines += b"Connection: Upgrade\r\nUpgrade: %b\r\n" % upgrade
    elif wants_trailers:
        lines += b"Connection: TE\r\nTE: trailers\r\n"
    return lines
