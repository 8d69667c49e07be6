"""What was read of somebody else's configuration, and what was not.

Rules: a policy that could not be read whole is none, because half a policy is another policy, and without its rule the
path would be a broader rule's; whatever reads otherwise here than there is listed with its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

Policy = dict[str, Any]
"""A policy's keys, as the configuration writes them."""
Row = dict[str, Any]
"""A rule's keys, as the configuration writes them."""

Value = Any
"""What a literal of a program or a configuration stands for: texts, numbers, booleans, None, lists and mappings."""

ANY: Final = "*"
NO_POLICY: Final = "none"


class Remark(NamedTuple):
    """Something that was not read, or that means another thing in a rule table."""

    line: int  # from 1; 0: the file as a whole
    message: str
    file: str = ""  # "": the one that was named


class Unreadable(Exception):  # a verdict, not a failure
    """Something that cannot be said as a rule; the message says what and why."""


@dataclass(slots=True)
class Imported:
    """Rules in the order in which they were read, each with the line that it comes from, and what is to be told."""

    rules: list[tuple[int, Row]] = field(default_factory=list)  # an upstream may be a mapping, which gets a name
    remarks: list[Remark] = field(default_factory=list)
    listen: list[str] = field(default_factory=list)

    @contextmanager
    def listed(self, line: int, file: str = "") -> Iterator[None]:
        """List what cannot be read inside the context, which ends there."""
        try:
            yield
        except Unreadable as reason:
            self.tell(line, str(reason), file)

    def leave_the_rest(self, upstream: str) -> None:
        """Paths that no rule is about are the application's own, with its own CORS headers."""
        if self.rules and not any(row["path"] == "/" for _, row in self.rules):
            self.rules.append((0, {"path": "/", "upstream": upstream, "policy": NO_POLICY}))

    def tell(self, line: int, message: str, file: str = "") -> None:
        """List something, once."""
        remark = Remark(line, message, file)
        if remark not in self.remarks:
            self.remarks.append(remark)


def policy_of(origins: Sequence[str], regexes: Sequence[str], granted: Mapping[str, Value]) -> Policy:
    """A policy of its origins and what it grants them, by the policy's own keys; None and False leave a key out.

    ``regexes`` are whole origins, of which any may match.
    """
    policy: Policy = {"allow_origins": ANY if ANY in origins else list(origins)} if origins else {}
    if regexes:
        policy["allow_origin_regex"] = regexes[0] if len(regexes) == 1 else "|".join(f"(?:{one})" for one in regexes)
    for key, value in granted.items():
        if isinstance(value, list | tuple):
            if value:
                policy[key] = ANY if ANY in value else list(dict.fromkeys(value))
        elif value is not None and value is not False:
            policy[key] = value
    return policy


def literal_star(names: Sequence[str], credentials: bool) -> list[str]:  # noqa: FBT001  # a policy's own word
    """Names that are sent as they stand: beside credentials, a star is a name like any other, and nobody's.

    https://fetch.spec.whatwg.org/#http-new-header-syntax
    """
    return [name for name in names if name != ANY or not credentials]


def whole_origin(expression: str) -> str:
    """The expression of a policy for one that its owner searches for or matches from the start; raises Unreadable.

    A policy's expression matches the whole origin, so only one that is held at both ends means the same.  The
    alternatives of ``^a|b$`` are held at one end each.
    """
    if "|" in _outside_groups(expression):
        raise Unreadable(
            f"the expression {expression!r} has alternatives outside of brackets; put brackets around them"
        )
    if not expression.startswith("^") or not expression.endswith("$") or expression.endswith(r"\$"):
        raise Unreadable(
            f"the expression {expression!r} is not held at both ends (^...$), so that it matches origins of others; "
            "write the origins that are meant"
        )
    return expression[1:-1]


def _outside_groups(expression: str) -> str:
    """What stands outside of brackets of any kind; escaped characters are left out."""
    outside, depth, escaped = [], 0, False
    for character in expression:
        if escaped or character == "\\":
            escaped = not escaped
        elif character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif not depth:
            outside.append(character)
    return "".join(outside)
