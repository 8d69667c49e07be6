"""Two policies for the same requests: which origins' pages may do more under one than under the other, and what.

Rules: the origins fall into those that both policies allow, those that only one does, and all others; within one of
these a policy treats all alike, timings apart, which have a list of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from corsproxy.cors.origin_language import EVERYTHING, Entry, OriginLanguage, witness
from corsproxy.cors.spec import RESOURCE_POLICIES, PolicySpec
from corsproxy.tools.difference.abilities import NOTHING, Ability, Gain, allowed, denied


class Verdict(StrEnum):
    """What becomes of something."""

    ALLOWED = "allowed"  # newly
    DENIED = "denied"  # newly
    UNCERTAIN = "uncertain"  # the upstream decides, before or after


class Example(NamedTuple):
    """An entry of a policy, and an origin of it that is concerned; ``whole``: all of them are."""

    entry: Entry
    origin: str
    whole: bool


@dataclass(frozen=True)
class Origins:
    """A set of origins: what an entry and all of ``within`` allow, and of each group of ``without`` not all."""

    examples: tuple[Example, ...]
    within: tuple[OriginLanguage, ...] = ()
    without: tuple[tuple[OriginLanguage, ...], ...] = ()

    def covers(self, origin: bytes) -> bool:
        """Whether a page with this origin is concerned."""
        return (
            any(example.entry.covers(origin) for example in self.examples)
            and all(language.contains(origin) for language in self.within)
            and not any(all(language.contains(origin) for language in group) for group in self.without)
        )


class Change(NamedTuple):
    """What becomes of the pages of a set of origins."""

    verdict: Verdict
    origins: Origins
    gains: tuple[Gain, ...] = ()  # none where the upstream decides
    widens: bool = False


_NOBODY: Final = OriginLanguage(())
_STRANGER: Final = "https://stranger.example"


def compare(old: PolicySpec | None, new: PolicySpec | None) -> Iterator[Change]:
    """What changes from one policy to the other; None: there is no rule, and every request is refused."""
    before, after = _Side(old), _Side(new)
    if old is None:  # that its requests are taken now is said of the place, not of every page
        before.denied = after.denied
    if new is None:
        after.denied = before.denied
    both = (before.origins, after.origins)
    classes = (
        (_Wanted(_narrower(*both), both), before.allowed, after.allowed),
        (_Wanted(after.origins, (), ((before.origins,),)), before.denied, after.allowed),
        (_Wanted(before.origins, (), ((after.origins,),)), before.allowed, after.denied),
        (_Wanted(None, (), ((before.origins,), (after.origins,))), before.denied, after.denied),
    )
    for wanted, left, right in classes:
        yield from _change(Verdict.ALLOWED, wanted, right.beyond(left))
        yield from _change(Verdict.DENIED, wanted, left.beyond(right))
    yield from _change(Verdict.ALLOWED, _timed(after, before), (Gain(Ability.TIMING),))
    yield from _change(Verdict.DENIED, _timed(before, after), (Gain(Ability.TIMING),))
    yield from _of_everybody(before, after, Verdict.ALLOWED)
    yield from _of_everybody(after, before, Verdict.DENIED)


def compare_unknown(old: PolicySpec | None, new: PolicySpec | None, *, served: bool) -> Change:
    """The change where the upstream decides by itself, before or after, on the side that has no policy.

    ``served``: whether the new side takes the requests at all.  What is gained is what may be: the upstream says so.
    """
    left, right = _Side(old).origins, _Side(new).origins
    shown = witness(right.entries[0]) if right.entries else witness(EVERYTHING, (), ((left,),))
    gains = (Gain(Ability.READ if right.entries else Ability.CREDENTIALS),) if served else ()
    return Change(Verdict.UNCERTAIN, _everybody(shown), gains, served)


class _Side:
    """One policy, ready to be compared."""

    def __init__(self, spec: PolicySpec | None) -> None:
        self.spec = spec
        self.origins, self.timing = _NOBODY, _NOBODY
        self.allowed = self.denied = NOTHING
        if spec is not None:
            self.origins = OriginLanguage(spec.allow_origins, spec.allow_origin_regex)
            self.timing = OriginLanguage(spec.timing_allow_origins)
            self.allowed, self.denied = allowed(spec), denied(spec)


class _Wanted(NamedTuple):
    """A set of origins that may be empty: those of ``entries`` (None: all) within and without others."""

    entries: OriginLanguage | None
    within: tuple[OriginLanguage, ...] = ()
    without: tuple[tuple[OriginLanguage, ...], ...] = ()


def _change(verdict: Verdict, wanted: _Wanted, gains: tuple[Gain, ...]) -> Iterator[Change]:
    """The change, if anything is gained and anybody is concerned."""
    if gains and (origins := _found(wanted)).examples:
        yield Change(verdict, origins, gains, verdict is Verdict.ALLOWED)


def _found(wanted: _Wanted) -> Origins:
    entries: Sequence[Entry] = wanted.entries.entries if wanted.entries is not None else (EVERYTHING,)
    examples: list[Example] = []
    for entry in entries:
        origin = witness(entry, wanted.within, wanted.without)
        if origin is not None:
            examples.append(Example(entry, origin, entry.exact or _is_whole(entry, wanted)))
    return Origins(tuple(examples), wanted.within, wanted.without)


def _is_whole(entry: Entry, wanted: _Wanted) -> bool:
    outside = any(witness(entry, (), ((language,),)) is not None for language in wanted.within)
    return not outside and all(witness(entry, group) is None for group in wanted.without)


def _narrower(first: OriginLanguage, second: OriginLanguage) -> OriginLanguage:
    """The one whose entries tell better what both allow."""
    return second if _coverage(second, first) > _coverage(first, second) else first


def _coverage(language: OriginLanguage, other: OriginLanguage) -> tuple[bool, bool]:
    return not language.any, all(map(other.has_whole, language.entries))


def _timed(side: _Side, other: _Side) -> _Wanted:
    """Those that one side shows timings of what they read, and the other does not."""
    entries = side.origins if side.timing.any else side.timing
    return _Wanted(entries, (side.origins, side.timing), ((other.origins, other.timing),))


def _of_everybody(left: _Side, right: _Side, verdict: Verdict) -> Iterator[Change]:
    """What needs no Origin header, and so is the same for all pages: what ``right`` has beyond ``left``."""
    gains = [Gain(Ability.MEASURE)] if right.timing.any and not left.timing.any else []
    if left.spec and right.spec and _may_embed_more(left.spec, right.spec):
        gains.append(Gain(Ability.EMBED))
    if gains:
        yield Change(verdict, _everybody(_STRANGER), tuple(gains), verdict is Verdict.ALLOWED)


def _everybody(shown: str | None) -> Origins:
    return Origins((Example(EVERYTHING, shown or _STRANGER, whole=True),))


def _may_embed_more(left: PolicySpec, right: PolicySpec) -> bool:
    """Whether ``right`` may let more pages embed answers; without a policy the upstream's own header counts."""
    before, after = left.cross_origin_resource_policy, right.cross_origin_resource_policy
    if before == after:
        return False
    least, most = 0, len(RESOURCE_POLICIES) - 1
    return (RESOURCE_POLICIES.index(after) if after else most) > (RESOURCE_POLICIES.index(before) if before else least)
