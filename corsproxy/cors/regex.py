"""``allow_origin_regex``: an expression that matches in linear time, and always the whole origin.

Rules: the expression sees serialized origins only, so that ``.*`` can swallow neither a path nor a user name; RE2 and
no other engine, since a backtracking one lets a client spend the server's time (https://swtch.com/~rsc/regexp/).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from corsproxy.cors.serialized import split_origin
from corsproxy.errors import InvalidOrigin

MAX_EXPRESSION = 10_000


@dataclass(frozen=True, slots=True)
class OriginRegex:
    """A compiled expression; ``text`` is what was written."""

    text: str
    full_match: Callable[[bytes], object]

    def match(self, origin: bytes) -> bool:
        """Whether the expression matches the whole of this origin; never for what is no serialized origin."""
        return split_origin(origin) is not None and self.full_match(origin) is not None


def compile_regex(text: str) -> OriginRegex:
    """The expression, compiled.

    Raises ``InvalidOrigin`` when RE2 is not installed, or refuses the expression.
    """
    if not text.isascii():
        raise InvalidOrigin(f"{text!r} has letters beyond ASCII, which no origin has; write the Punycode form")
    if len(text) > MAX_EXPRESSION:
        raise InvalidOrigin(f"an expression has at most {MAX_EXPRESSION} characters; list the origins in allow_origins")
    re2 = _engine()
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        return OriginRegex(text, re2.compile(text, options).fullmatch)
    except re2.error as error:
        reason = error.args[0].decode("ascii", "replace")
        raise InvalidOrigin(f"{text!r} is no regular expression of RE2 ({reason}); correct it") from None


def _engine() -> Any:  # noqa: ANN401 - google-re2 has no types
    try:
        return importlib.import_module("re2")
    except ImportError:
        raise InvalidOrigin("regular expressions need RE2; run pip install 'corsproxy[re2]'") from None
