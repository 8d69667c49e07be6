"""Paths as people write them: of rules, of upstreams, of sockets and of cookies.

Rules: a path of a rule is spelt exactly as requests are looked up, so that what stands in the file is what is compared.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from corsproxy.config.written import Unusable
from corsproxy.errors import MalformedRequest
from corsproxy.http.target import Target, parse_target

_MAX_SOCKET_PATH = 107  # bytes that Linux has for it (unix(7)), without the final NUL
_CHECK_PATH = re.compile(r"/[!-\"$-~]*")  # printable ASCII without # and blanks
_COOKIE_PATH = re.compile(r"/[!-:<-~]*")
# What a path may hold as it is: RFC 3986's characters, and those that browsers send although it has no room for them.
_AS_IT_IS = "/%!$&'()*+,;=:@[]{}|^`\"<>\\"


def parse_rule_path(text: str) -> str:
    """The path of a rule as requests are looked up by it: normalised, without a trailing slash unless it is "/".

    Raises Unusable for a text that no request's path can begin with, or that is no prefix in whole segments.
    """
    if "://" in text:
        raise Unusable(f"{text!r} is a URL; write its path here, and its host under host")
    if "?" in text or "#" in text:
        raise Unusable(f"{text!r} has a query or fragment; rules look at the path alone", re.split("[?#]", text)[0])
    if not text.startswith("/"):
        raise Unusable(f"{text!r} does not begin with a slash", f"/{text}")
    if text.endswith("*"):
        raise Unusable(f"{text!r} ends in a *; a path is a prefix already", text.rstrip("*/") or "/")
    target = _target(text)
    if target.key != text:
        raise Unusable(f"{text!r} is not spelt as paths are compared", target.key)
    if target.lenient != target.key:
        raise Unusable(f"{text!r} is read in two ways by servers, so requests for it are refused", target.lenient)
    if text.endswith("/") and text != "/":
        raise Unusable(f"{text!r} ends in a slash; a path is a prefix in whole segments", text.rstrip("/"))
    return text


def parse_base(path: str) -> bytes:
    """The path of an upstream's URL without a trailing slash.

    Raises Unusable for a path that cannot be a part of a request's.
    """
    base = path.rstrip("/")
    if not base:
        return b""
    _target(base)
    if not base.isascii() or " " in base:
        raise Unusable(f"the path {base!r} has characters that must be escaped", quote(base, safe=_AS_IT_IS))
    return base.encode()


def parse_socket(text: str) -> str:
    """The path of ``unix:/path``; ``unix:///path``, as URLs write it, is the same.

    Raises Unusable for a path that is not absolute, or too long for a socket.
    """
    path = text.removeprefix("unix:").removeprefix("//")
    if not path.startswith("/"):
        raise Unusable(f"{text!r} has no absolute path; write it like unix:/run/name.sock")
    if len(path.encode()) > _MAX_SOCKET_PATH:
        raise Unusable(f"{text!r} is longer than the {_MAX_SOCKET_PATH} bytes that the path of a socket may have")
    return path


def parse_check_path(text: str) -> bytes:
    """The target of a health check, with a query if there is one.

    Raises Unusable for what cannot stand in a request line.
    """
    if not _CHECK_PATH.fullmatch(text):
        raise Unusable(f"{text!r} is no path to ask for; begin it with a slash, and escape what is not ASCII")
    return text.encode()


def parse_asked_path(text: str) -> bytes:
    """The path that a page asks for, with a query if there is one.

    Raises Unusable for what no browser sends, or what this proxy never forwards.
    """
    asked = parse_check_path(text)
    _target(text.partition("?")[0])
    return asked


def parse_cookie_path(text: str) -> str:
    """A cookie's path.

    Raises Unusable for what browsers would not take for one.
    """
    if not _COOKIE_PATH.fullmatch(text):
        raise Unusable(f"{text!r} is no path of a cookie; begin it with a slash, and escape what is not ASCII")
    return text


def _target(path: str) -> Target:
    try:
        return parse_target(quote(path, safe=_AS_IT_IS).encode())
    except MalformedRequest as malformed:
        raise Unusable(f"{path!r} is never forwarded: {malformed}") from None
