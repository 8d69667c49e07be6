"""The header lines of the request toward the upstream, as bytes.  Pure.

End-to-end lines keep their order, case and duplicates; what belongs to the client's own connection stays behind
(https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1); this proxy's own lines come last, so that no line of the client
can remove or precede them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from corsproxy.config.table import Rule
from corsproxy.cors.decision import Decision
from corsproxy.http.forwarded import FOLD, Forwarding
from corsproxy.http.referer import with_origin
from corsproxy.proxy.framing import CHUNKED, Framing
from corsproxy.proxy.request import Client, Line, RequestHead, header_line

TELLING_THE_PAGE: Final = frozenset({b"origin", b"referer", b"sec-fetch-site"})


def request_lines(
    forwarding: Forwarding,
    rule: Rule,
    decision: Decision,
    client: Client,
    authority: bytes,
    head: RequestHead,
) -> bytes:
    """Every end-to-end line but Host, then X-Forwarded-*, Via and the rule's own."""
    fields, edited = head.fields, rule.request_edits.removed
    own_origin = origin_in_place(rule, decision)
    own = client.lines(forwarding, authority, head)
    if not fields.unusual and not edited and own_origin is None:
        return fields.whole + own + rule.request_edits.lines
    dropped = fields.nominated() | edited
    passed: Sequence[Line] = fields.passed
    if edited:
        # X_Api_Key where the rule sets X-Api-Key: servers that fold names would take the client's word for the rule's.
        passed = [line for line in passed if line.name.translate(FOLD) not in edited]
    if head.method == b"OPTIONS" and fields.all(b"max-forwards"):
        passed = [_counted_down(line) for line in passed]
    if dropped or own_origin is not None:
        lines = [_as_told(line, own_origin) for line in passed if line.name not in dropped]
    else:
        lines = [line.whole for line in passed]
    lines.append(_without(edited, own) if edited else own)
    lines.append(rule.request_edits.lines)
    return b"".join(lines)


def origin_in_place(rule: Rule, decision: Decision) -> bytes | None:
    """The origin that the upstream sees in place of the page's; b"": none at all; None: the page's own.

    What the policy denies is never disguised: an upstream that refuses foreign origins must see that this is one.
    """
    return None if decision.denied else rule.forward_origin


def retold(own_origin: bytes, name: bytes, value: bytes) -> bytes | None:
    """A value of one of the fields in TELLING_THE_PAGE as the upstream sees it; None: not at all."""
    # What compares the page with this proxy would contradict an Origin that is the rule's, so it goes.
    if not own_origin or name == b"sec-fetch-site":
        return None
    return own_origin if name == b"origin" else with_origin(value, own_origin)


def _counted_down(line: Line) -> Line:
    """Max-Forwards, less this hop (https://www.rfc-editor.org/rfc/rfc9110#section-7.6.2); every other line as it is."""
    return header_line(line.written, b"%d" % (int(line.value) - 1)) if line.name == b"max-forwards" else line


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
    if framing is CHUNKED:
        lines += b"Transfer-Encoding: chunked\r\n"
    if expects_continue:
        lines += b"Expect: 100-continue\r\n"
    if upgrade:
        lines += b"Connection: Upgrade\r\nUpgrade: %b\r\n" % upgrade
    elif wants_trailers:
        lines += b"Connection: TE\r\nTE: trailers\r\n"
    return lines
