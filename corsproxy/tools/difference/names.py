"""Sets of names that may be all but a few: methods, and headers in lower case."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Names:
    """The names listed, or with ``all_but`` every other one."""

    listed: frozenset[str] = frozenset()
    all_but: bool = False

    @classmethod
    def of(cls, written: Sequence[str], always: Iterable[str] = ()) -> Names:
        """What a list of a policy means; ``("*",)`` is all of them."""
        return cls(all_but=True) if tuple(written) == ("*",) else cls(frozenset((*written, *always)))

    def __contains__(self, name: str) -> bool:
        return (name in self.listed) is not self.all_but

    def __bool__(self) -> bool:
        return self.all_but or bool(self.listed)

    def __sub__(self, other: Names) -> Names:
        if other.all_but:
            kept = {name for name in other.listed if name in self}
            return Names(frozenset(kept))
        if self.all_but:
            return Names(self.listed | other.listed, all_but=True)
        return Names(self.listed - other.listed)

    def example(self, usual: Sequence[str], new: str) -> str:
        """A member, a usual one if there is one; of all but a few, ``new`` is the beginning of one that is new."""
        made = (f"{new}{number}" for number in itertools.count(2))
        return next(name for name in itertools.chain(usual, sorted(self.listed), [new], made) if name in self)


NO_NAMES: Final = Names()
