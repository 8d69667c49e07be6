"""nginx's blocks, and which directives hold inside each.

Rules: a directive that may stand several times (``add_header``, ``proxy_set_header``) is inherited only where the
inner block has none of its own, and any other is the innermost one
(https://nginx.org/en/docs/http/ngx_http_headers_module.html#add_header); the parser is crossplane, of the
extra ``import``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import crossplane

from corsproxy.tools.importing.imported import Unreadable


@dataclass(frozen=True, slots=True)
class Directive:
    """A line of the configuration, with what stands in its braces."""

    name: str
    args: tuple[str, ...]
    line: int
    file: str
    inner: tuple[Directive, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A block inside of others; made by ``inside``."""

    directives: tuple[Directive, ...]
    outer: Block | None = None

    def inside(self, directive: Directive) -> Block:
        """The block of a directive in this one."""
        return Block(directive.inner, self)

    def own(self, name: str) -> list[Directive]:
        """The directives of this name in this very block."""
        return [directive for directive in self.directives if directive.name == name]

    def every(self, name: str) -> list[Directive]:
        """The directives of this name that hold here."""
        return self.own(name) or (self.outer.every(name) if self.outer else [])

    def last(self, name: str) -> Directive | None:
        """The one directive of this name that holds here."""
        found = self.every(name)
        return found[-1] if found else None


def read_blocks(file: str) -> tuple[Directive, ...]:
    """Everything in a configuration file and in what it includes.

    Raises Unreadable where nginx would not read it.
    """
    payload = crossplane.parse(file, combine=True, check_ctx=False, check_args=False)
    for error in payload["errors"]:
        raise Unreadable(f"nginx would not read it: {error['error']}")
    return tuple(_directives(payload["config"][0]["parsed"]))


def _directives(statements: list[dict[str, Any]]) -> Iterator[Directive]:
    for told in statements:
        inner = tuple(_directives(told.get("block", [])))
        yield Directive(told["directive"], tuple(told["args"]), told["line"], told["file"], inner)
