"""A line per exchange, for people: what was asked, what came back, and what the browser makes of it.

A blocked exchange prints the browser's own sentence under it, and the fix; once per cause, so that a page that tries
again every second does not bury the rest.  Whatever a client sent is escaped: a log line cannot be forged, and no
terminal obeys it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import TextIO

from corsproxy.cli.remarks import Comment
from corsproxy.cors.decision import Decision, Outcome
from corsproxy.cors.words import advice, sentence, websocket_refused
from corsproxy.http.answers import printable
from corsproxy.proxy.exchange import Exchange

_CAUSES_REMEMBERED = 1000
_LONGEST_CAUSE = 200  # bytes; longer ones that begin alike are taken for one, so that memory has a bound too

_VERDICTS = {
    Outcome.NO_POLICY: "no policy",
    Outcome.NOT_CORS: "no Origin header, so not CORS",
    Outcome.SAME_ORIGIN: "same origin, so not CORS",
    Outcome.ALLOWED: "allowed",
    Outcome.DENIED_ORIGIN: "blocked: the origin is not allowed",
    Outcome.PREFLIGHT_ALLOWED: "preflight allowed",
    Outcome.PREFLIGHT_DENIED_ORIGIN: "preflight blocked: the origin is not allowed",
    Outcome.PREFLIGHT_DENIED_METHOD: "preflight blocked: the method is not allowed",
    Outcome.PREFLIGHT_DENIED_HEADERS: "preflight blocked: request headers are not allowed",
    Outcome.PREFLIGHT_DENIED_PRIVATE_NETWORK: "preflight blocked: private network access is not allowed",
}

_RED, _GREEN, _YELLOW, _DIM, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m", "\x1b[0m"


def _no_comment(exchange: Exchange) -> Comment:  # noqa: ARG001  # an observer's signature
    return Comment()


class ExchangePrinter:
    """Observes exchanges and prints them.

    ``every`` is False where only denials are wanted; ``advise`` says how to allow what was denied, in the words of the
    place where the policy was written; ``comment`` says what else there is to know, each remark once.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        colour: bool = False,
        every: bool = True,
        advise: Callable[[Decision, str], str] = advice,
        comment: Callable[[Exchange], Comment] = _no_comment,
    ) -> None:
        self._stream = stream
        self._colour = colour
        self._every = every
        self._advise = advise
        self._comment = comment
        self._explained: set[Hashable] = set()

    def __call__(self, exchange: Exchange) -> None:
        """Print one exchange."""
        comment = self._comment(exchange)
        explanation = self._explanation(exchange) + self._remarks(comment)
        if self._every or explanation:
            self._print(self._line(exchange, comment) + explanation)

    def say(self, line: str) -> None:
        """Print a line of the program's own among the exchanges."""
        self._print(line + "\n")

    def _print(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        with suppress(OSError):  # a reader that has left, or a full disk, is no reason to fail those who are served
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self._stream.flush()

    def _line(self, exchange: Exchange, comment: Comment) -> str:
        status = str(exchange.status) if exchange.status else "---"
        words = [
            time.strftime("%H:%M:%S"),
            f"{printable(exchange.method.decode('latin-1')):7}",
            exchange.shown_target,
            self._painted(status, _status_colour(exchange.status)),
            f"{exchange.duration * 1000:.0f} ms",
            printable(exchange.origin.decode("latin-1")) or "-",
            self._painted(_VERDICTS[exchange.decision.outcome], _verdict_colour(exchange.decision.outcome)),
        ]
        if exchange.failure:
            words.append(self._painted(f"({printable(exchange.failure)})", _YELLOW))
        words += [self._painted(f"[{printable(rewrite)}]", _DIM) for rewrite in comment.rewrites]
        return "  ".join(words) + "\n"

    def _explanation(self, exchange: Exchange) -> str:
        """The browser's sentence, the rule and the fix, the first time that this cause is seen."""
        decision, rule = exchange.decision, exchange.rule
        if not decision.outcome.denied or rule is None or rule.policy is None:
            return ""
        cause = (rule.where, decision.outcome, decision.subject[:_LONGEST_CAUSE], exchange.websocket)
        if not self._is_new(cause):
            return ""
        lines = [
            ("browser", _said(exchange), _RED),
            ("rule", f"{rule.name} ({rule.where}), policy {rule.policy.name}", _DIM),
            ("fix", self._advise(decision, rule.policy.name), _GREEN),
        ]
        return "".join(self._indented(*line) for line in lines)

    def _remarks(self, comment: Comment) -> str:
        """The remarks that have not been made yet."""
        new = [remark for remark in comment.remarks if self._is_new((remark.label, remark.text[:_LONGEST_CAUSE]))]
        return "".join(self._indented(remark.label, printable(remark.text), _YELLOW) for remark in new)

    def _is_new(self, cause: Hashable) -> bool:
        """Whether a cause is seen for the first time, as far as is remembered."""
        if cause in self._explained:
            return False
        if len(self._explained) >= _CAUSES_REMEMBERED:  # an attacker can make up causes; forgetting is cheap
            self._explained.clear()
        self._explained.add(cause)
        return True

    def _indented(self, label: str, text: str, colour: str) -> str:
        return f"    {label + ':':8} {self._painted(text, colour)}\n"

    def _painted(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._colour and colour else text


def _said(exchange: Exchange) -> str:
    """The sentence in the browser's console."""
    if exchange.websocket:
        return websocket_refused(exchange.status, url=exchange.url)
    return sentence(exchange.decision, url=exchange.url, origin=exchange.origin.decode("latin-1"))


def _status_colour(status: int) -> str:
    if status == 0 or status >= 500:
        return _RED
    return _YELLOW if status >= 400 else ""


def _verdict_colour(outcome: Outcome) -> str:
    if outcome.denied:
        return _RED
    return _GREEN if outcome in {Outcome.ALLOWED, Outcome.PREFLIGHT_ALLOWED} else _DIM
