"""Every serialized origin, as a set of texts: the grammar of ``serialized`` once more, in a form that can be searched.

Rules: the two say the same of every text, which a test holds them to; lengths are counted only where they decide, since
63 times 253 states would otherwise stand behind every other one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Final

from corsproxy.cors.automaton import Automaton, Machine, State, automaton, shortest
from corsproxy.cors.serialized import (
    DEFAULT_PORTS,
    MAX_HOST,
    MAX_LABEL,
    OPAQUE_SCHEMES,
    WEBSOCKET_SCHEMES,
    split_origin,
)

_MAX_SCHEME: Final = 64

_CHARACTER: Final = "[a-z0-9_-]"
# A label that no browser takes for the end of an IPv4 address.
_NO_NUMBER: Final = (
    f"([a-z_-]{_CHARACTER}*|[1-9][0-9]*[a-z_-]{_CHARACTER}*|0[0-9]+[a-z_-]{_CHARACTER}*|0[a-wyz_-]{_CHARACTER}*"
    f"|0x[0-9a-f]*[g-z_-]{_CHARACTER}*)"
)
_OCTET: Final = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PORT: Final = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"  # to 65535
_GROUP: Final = "[1-9a-f][0-9a-f]{0,3}"  # of an IPv6 address, when it is not 0
_NOT_FFFF: Final = (
    "([1-9a-e][0-9a-f]{0,3}|f([0-9a-f]{0,2}|[0-9a-e][0-9a-f]{2}|f[0-9a-e][0-9a-f]|ff[0-9a-e]))"  # but for mapped ones
)
_GROUPS: Final = 8
_MAPPED: Final = 5  # the group that says ffff, behind zeros alone


def search(inside: Sequence[Machine], outside: Sequence[Sequence[Automaton]]) -> str | None:
    """A shortest serialized origin that all machines ``inside`` take, and of each group ``outside`` not all."""
    # From the fewest states to the most: mostly there is no text at all, or a shortest one is an origin as it is.
    spelled = ([*inside, _spelled()], [*outside, *([machine] for machine in _never())])
    for machines, groups in ((inside, outside), spelled):
        found = shortest(machines, groups)
        if found is None or split_origin(found.encode("ascii")) is not None:
            return found
    return shortest([*spelled[0], _Lengths()], spelled[1])


@cache
def _spelled() -> Automaton:
    """Whatever is spelled like an origin, lengths apart, and ``_never`` besides."""
    name = rf"({_CHARACTER}+\.)*{_NO_NUMBER}"
    address = rf"{_OCTET}(\.{_OCTET}){{3}}"
    return automaton(rf"[a-z][a-z0-9+.-]*://({name}|{address}|\[({'|'.join(_ipv6())})\])(:{_PORT})?")


@cache
def _never() -> tuple[Automaton, ...]:
    """What no page sends although it is spelled like an origin: schemes without pages of their own, default ports."""
    schemes = "|".join((*OPAQUE_SCHEMES, *WEBSOCKET_SCHEMES))
    defaults = "|".join(f"{scheme}://.*:{port}" for scheme, port in DEFAULT_PORTS.items())
    return automaton(f"({schemes})://.*"), automaton(defaults)


def _ipv6() -> list[str]:
    """Each way in which zeros can stand in an address, in the one form in which it is serialized.

    https://url.spec.whatwg.org/#concept-ipv6-serializer: the first of the longest runs of zeros is left out.
    """
    return [_shape(zeros) for zeros in product((False, True), repeat=_GROUPS)]


def _shape(zeros: tuple[bool, ...]) -> str:
    groups = ["0" if zero else _GROUP for zero in zeros]
    if all(zeros[:_MAPPED]) and not zeros[_MAPPED]:
        groups[_MAPPED] = _NOT_FFFF
    runs = [(start, end) for start in range(_GROUPS) for end in range(start + 2, _GROUPS + 1) if all(zeros[start:end])]
    if not runs:
        return ":".join(groups)
    start, end = max(runs, key=lambda run: (run[1] - run[0], -run[0]))
    return f"{':'.join(groups[:start])}::{':'.join(groups[end:])}"


class _Lengths:
    """The machine that counts: a scheme's characters, a label's, a host's."""

    # What it tells apart: the end of a scheme, of a label, of a host, and everything else.
    characters = frozenset({frozenset(":"), frozenset("/"), frozenset("."), frozenset("[")})
    start: State = (0, 0, 0)

    def step(self, state: State, character: str) -> State:
        """``state`` is (slashes so far, the scheme's or the host's length, the label's)."""
        slashes, length, label = state
        if character == "/":
            return (slashes + 1, 0, 0)
        if slashes == 0:
            return state if character == ":" else (0, length + 1, 0) if length < _MAX_SCHEME else None
        if length < 0 or character in ":[":  # behind the host, or in an address that has its own limits
            return (slashes, -1, 0)
        label = 0 if character == "." else label + 1
        return (slashes, length + 1, label) if length < MAX_HOST and label <= MAX_LABEL else None

    def accepts(self, state: State) -> bool:  # noqa: ARG002  # it only says where too much is too much
        """Any end is well."""
        return True
