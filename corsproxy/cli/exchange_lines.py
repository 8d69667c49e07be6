"""A line per exchange, for people: what was asked, what came back, and what the browser makes of it.

A blocked exchange prints the browser's own sentence under it, and the fix; once per cause, and then how often it came
again, so that a page that tries again every second does not bury the rest.  Whatever a client sent is escaped: a log
line cannot be forged, and no terminal obeys it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable
from typing import Final, Protocol

from corsproxy.cli.remarks import Comment
from corsproxy.cors.decision import Decision, Outcome
from corsproxy.cors.flip import Flip, remedy, said
from corsproxy.cors.words import advice
from corsproxy.http.answers import printable
from corsproxy.http.redaction import shown_target
from corsproxy.proxy.exchange import Exchange
from corsproxy.server.access_log import EVERYTHING, Sample
from corsproxy.server.denials import Denials, Flips, browser_sentence

_REMARKS_REMEMBERED = 1000
_LONGEST_REMARK = 200  # characters; longer ones that begin alike are taken for one, so that memory has a bound too

_now: Final[Callable[[], float]] = time.time

_MOST_STATUSES: Final = 1000  # a status has three digits
_MILLISECONDS: Final = [f"{number} ms" for number in range(100)]

_SHORT: Final = 256  # bytes of a text that is kept as it is shown
_REMEMBERED: Final = 1024  # of those

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

_NO_STATUS: Final = "---"  # the connection ended before an answer

_RED, _GREEN, _YELLOW, _DIM, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m", "\x1b[0m"


_NOTHING = Comment()


def _no_comment(exchange: Exchange) -> Comment:  # noqa: ARG001  # an observer's signature
    return _NOTHING


class _Shown:
    """Texts of one kind as they are shown: the same few come again and again."""

    __slots__ = ("_show", "known")

    def __init__(self, show: Callable[[bytes], str]) -> None:
        self._show = show
        self.known: dict[bytes, str] = {}

    def add(self, value: bytes) -> str:
        """One that is not known."""
        text = self._show(value)
        if len(value) <= _SHORT:
            if len(self.known) >= _REMEMBERED:
                self.known.clear()
            self.known[value] = text
        return text


class Stream(Protocol):
    """What lines are printed to."""

    @property
    def encoding(self) -> str:
        """How it turns characters into bytes."""

    def write(self, text: str, /) -> object:
        """Take a text."""

    def flush(self) -> None:
        """Hold nothing back."""


class ExchangePrinter:
    """Observes exchanges and prints them.

    ``sample`` is None where only denials are wanted; ``advise`` says how to allow what was denied, in the words of the
    place where the policy was written; ``comment`` says what else there is to know, each remark once.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        colour: bool = False,
        sample: Sample | None = EVERYTHING,
        advise: Callable[[Decision, str], str] = advice,
        comment: Callable[[Exchange], Comment] = _no_comment,
    ) -> None:
        self._write = stream.write
        self._flush = stream.flush
        self._encoding = stream.encoding or "utf-8"
        self._colour = colour
        self._sample = sample
        self._everything = sample is not None and sample.everything
        self._advise = advise
        self._comment = comment
        self._denials = Denials()
        self._flips = Flips()
        # A list by their numbers: an enum's member as a key costs a call of Python's for its hash.
        self._verdicts = [self._painted(_VERDICTS[outcome], _verdict_colour(outcome)) for outcome in Outcome]
        self._methods, self._targets, self._origins = _Shown(_method), _Shown(shown_target), _Shown(_text)
        self._statuses = [""] * _MOST_STATUSES  # as they are painted, once they have been met
        self._time, self._next_second = "", -math.inf  # the present second, and its end on the clock of exchanges
        self._remarked: set[Hashable] = set()

    def __call__(self, exchange: Exchange) -> None:
        """Print one exchange."""
        comment = self._comment(exchange)
        explanation = self._explanation(exchange) if exchange.decision.denied else ""
        if comment.remarks:
            explanation += self._remarks(comment)
        if exchange.shadow is not None:
            explanation += self._flip(exchange, exchange.shadow)
        if self._everything or explanation or (self._sample is not None and self._sample(exchange)):
            self._print(self._line(exchange, comment) + explanation)

    def say(self, line: str) -> None:
        """Print a line of the program's own among the exchanges."""
        self._print(line + "\n")

    def _print(self, text: str) -> None:
        if not text.isascii():
            text = text.encode(self._encoding, "backslashreplace").decode(self._encoding)
        try:
            self._write(text)
            self._flush()
        except OSError:  # a reader that has left, or a full disk, is no reason to fail those who are served
            pass

    def _line(self, exchange: Exchange, comment: Comment) -> str:
        method, target, origin = exchange.method, exchange.target, exchange.origin
        milliseconds = int(exchange.duration * 1000 + 0.5)
        return (
            f"{self._time_of_day(exchange)}  {self._methods.known.get(method) or self._methods.add(method)}  "
            f"{self._targets.known.get(target) or self._targets.add(target)}  "
            f"{self._statuses[exchange.status] or self._add_status(exchange.status)}  "
            f"{_MILLISECONDS[milliseconds] if milliseconds < len(_MILLISECONDS) else f'{milliseconds} ms'}  "
            f"{self._origins.known.get(origin) or self._origins.add(origin) if origin else '-'}  "
            f"{self._verdicts[exchange.decision.outcome.number]}"
            f"{self._besides(exchange, comment) if exchange.failure or comment.rewrites else ''}\n"
        )

    def _add_status(self, status: int) -> str:
        text = self._statuses[status] = self._painted(str(status) if status else _NO_STATUS, _status_colour(status))
        return text

    def _besides(self, exchange: Exchange, comment: Comment) -> str:
        """What few lines end with: what went wrong, and what was changed on the way."""
        besides = [self._painted(f"({printable(exchange.failure)})", _YELLOW)] if exchange.failure else []
        besides += [self._painted(f"[{printable(rewrite)}]", _DIM) for rewrite in comment.rewrites]
        return "".join(f"  {text}" for text in besides)

    def _time_of_day(self, exchange: Exchange) -> str:
        """When it ended; the system is asked for the time once in a second."""
        ended = exchange.started + exchange.duration
        if ended >= self._next_second:
            now = _now()
            self._next_second = ended + 1 - now % 1
            self._time = time.strftime("%H:%M:%S", time.localtime(now))
        return self._time

    def _explanation(self, exchange: Exchange) -> str:
        """The browser's sentence, the rule and the fix, the first time that a cause is met; later how often it was."""
        denial = self._denials.meet(exchange)
        if denial is None:
            return ""
        rule, policy = denial.rule, denial.policy
        place = f"{rule.name} ({rule.where}), policy {policy.name}" + (f" ({policy.where})" if policy.where else "")
        if denial.count > 1:
            return self._indented("again", f"{denial.count} times by now, {place}", _DIM)
        if not denial.named:
            return self._indented("more", f"too many causes to name each; from here on they are counted, {place}", _DIM)
        lines = [
            ("browser", browser_sentence(exchange), _RED),
            ("rule", place, _DIM),
            ("fix", self._advise(exchange.decision, policy.name), _GREEN),
        ]
        return "".join(self._indented(*line) for line in lines)

    def _flip(self, exchange: Exchange, flip: Flip) -> str:
        """What the shadow would do instead, and by which rule there; told as often as a denial is."""
        met = self._flips.meet(exchange)
        if met is None:
            return ""
        place = f"{flip.rule} ({flip.where}), policy {flip.policy}" if flip.rule else "no rule"
        place += f" ({flip.policy_where})" if flip.policy_where else ""
        if met.count > 1:
            return self._indented("shadow", f"{flip.difference.change}, {met.count} times by now, {place}", _DIM)
        if not met.named:
            return self._indented(
                "shadow", f"too many verdicts differ to name each; counted from here on, {place}", _DIM
            )
        lines = [("shadow", printable(said(flip)), _YELLOW), ("there", place, _DIM), ("fix", remedy(flip), _GREEN)]
        return "".join(self._indented(*line) for line in lines if line[1])

    def _remarks(self, comment: Comment) -> str:
        """The remarks that have not been made yet."""
        new = [remark for remark in comment.remarks if self._is_new((remark.label, remark.text[:_LONGEST_REMARK]))]
        return "".join(self._indented(remark.label, printable(remark.text), _YELLOW) for remark in new)

    def _is_new(self, remark: Hashable) -> bool:
        """Whether a remark is made for the first time, as far as is remembered."""
        if remark in self._remarked:
            return False
        if len(self._remarked) >= _REMARKS_REMEMBERED:  # an attacker can make up causes; forgetting is cheap
            self._remarked.clear()
        self._remarked.add(remark)
        return True

    def _indented(self, label: str, text: str, colour: str) -> str:
        return f"    {label + ':':8} {self._painted(text, colour)}\n"

    def _painted(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._colour and colour else text


def _method(value: bytes) -> str:
    return f"{_text(value[:_SHORT]):7}"


def _text(value: bytes) -> str:
    return printable(value.decode("latin-1"))


def _status_colour(status: int) -> str:
    if status == 0 or status >= 500:
        return _RED
    return _YELLOW if status >= 400 else ""


def _verdict_colour(outcome: Outcome) -> str:
    if outcome.denied:
        return _RED
    return _GREEN if outcome in {Outcome.ALLOWED, Outcome.PREFLIGHT_ALLOWED} else _DIM
