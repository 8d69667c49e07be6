"""What of a request may stand in a log: nothing that moves a terminal, and nothing that lets its reader in.

Rules that this file obeys:

- The outcome is one line of printable ASCII; every other byte, C1 controls and what reorders text included, is an
  escape.
- The value of a query parameter whose name speaks of a secret is masked, and so is a password before a host.  Names are
  all that there is to judge by: a secret under a harmless name, or inside a path, is not recognised.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from corsproxy.http.answers import printable

MASK = "***"

# Names in lower case, letters and digits only: X-Amz-Signature is xamzsignature.
_SECRET = re.compile(
    "token|secret|passw|signature|credential|apikey|accesskey|privatekey|session|jwt|authorization"
    "|^(?:auth|code|key|otp|pass|pin|pwd|sid|sig|ticket)$"
)
_USERINFO = re.compile(rb"^([A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*@")
_MARKS = re.compile(r"([?&;#])")  # a second ? begins the query of a URL inside the URL
_LONGEST_REMEMBERED = 64  # characters of a name


def shown_target(target: bytes) -> str:
    """A request's target as a log may print it."""
    target = _USERINFO.sub(lambda match: (match[1] or b"") + b"//" + MASK.encode() + b"@", target)
    path, mark, query = target.decode("latin-1").partition("?")
    return printable(path + mark + (_masked(query) if "=" in query else query))


def _masked(query: str) -> str:
    shown, hidden = [], False
    for part in _MARKS.split(query):
        if hidden and part not in {"&", ";", "#"}:  # the rest of the secret, should it hold a ?
            continue
        name, equals, value = part.partition("=")
        hidden = bool(value) and is_secret(name)
        shown.append(f"{name}={MASK}" if hidden else name + equals + value)
    return "".join(shown)


def is_secret(name: str) -> bool:
    """Whether a parameter's name, as it stands in a query, speaks of a secret."""
    # An API has few parameters; made-up names are forgotten soon, and long ones at once.
    return _remembered(name) if len(name) <= _LONGEST_REMEMBERED else _judge(name)


def _judge(name: str) -> bool:
    plain = unquote_to_bytes(name).decode("latin-1")
    return _SECRET.search("".join(filter(str.isalnum, plain.lower()))) is not None


_remembered = lru_cache(maxsize=1024)(_judge)
