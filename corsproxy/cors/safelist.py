"""What a page may send without asking first: the safelists of the Fetch standard.

Rules: pure functions of a method or a header; every one links its clause, and none knows a policy.
"""

from __future__ import annotations

import re

from corsproxy.cors.fetch import WHITE_SPACE, Headers, Mode, Request, Upload, is_token, members

# https://fetch.spec.whatwg.org/#cors-safelisted-method
SAFELISTED_METHODS = frozenset({b"GET", b"HEAD", b"POST"})

# https://fetch.spec.whatwg.org/#cors-non-wildcard-request-header-name
NON_WILDCARD_NAME = b"authorization"

# https://fetch.spec.whatwg.org/#request-body-header-name
REQUEST_BODY_NAMES = frozenset({b"content-encoding", b"content-language", b"content-location", b"content-type"})

_NORMALIZED_METHODS = frozenset({b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"POST", b"PUT"})
_FORBIDDEN_METHODS = frozenset({b"CONNECT", b"TRACE", b"TRACK"})
_FORBIDDEN_PREFIXES = (b"proxy-", b"sec-")
_METHOD_OVERRIDES = frozenset({b"x-http-method", b"x-http-method-override", b"x-method-override"})
_FORBIDDEN_NAMES = frozenset(
    b"accept-charset accept-encoding access-control-request-headers access-control-request-method connection"
    b" content-length cookie cookie2 date dnt expect host keep-alive origin referer set-cookie te trailer"
    b" transfer-encoding upgrade via".split()
)
_NO_CORS_NAMES = frozenset({b"accept", b"accept-language", b"content-language", b"content-type"})

_MAX_VALUE = 128  # bytes of one safelisted value
_MAX_VALUES = 1024  # bytes of all safelisted values together

# https://fetch.spec.whatwg.org/#cors-unsafe-request-header-byte
_UNSAFE_BYTE = re.compile(rb'[\x00-\x08\x0a-\x1f"():<>?@\[\\\]{}\x7f]')
_LANGUAGE = re.compile(rb"[0-9A-Za-z *,\-.;=]*")
# https://fetch.spec.whatwg.org/#simple-range-header-value, where the start may not be left out
_RANGE = re.compile(rb"bytes=([0-9]+)-([0-9]*)")
_FORM_TYPES = frozenset({b"application/x-www-form-urlencoded", b"multipart/form-data", b"text/plain"})


def normalize_method(method: bytes) -> bytes:
    """The method in upper case, if it is one of six; ``patch`` stays ``patch``.

    https://fetch.spec.whatwg.org/#concept-method-normalize
    """
    return method.upper() if method.upper() in _NORMALIZED_METHODS else method


def is_safelisted_header(name: bytes, value: bytes) -> bool:
    """Whether this header needs no preflight (https://fetch.spec.whatwg.org/#cors-safelisted-request-header)."""
    if len(value) > _MAX_VALUE:
        return False
    match name.lower():
        case b"accept":
            return not _UNSAFE_BYTE.search(value)
        case b"accept-language" | b"content-language":
            return _LANGUAGE.fullmatch(value) is not None
        case b"content-type":
            return not _UNSAFE_BYTE.search(value) and _essence(value) in _FORM_TYPES
        case b"range":
            return _is_simple_range(value)
        case _:
            return False


def unsafe_names(headers: Headers) -> tuple[bytes, ...]:
    """The names that a preflight has to ask for: sorted, lower-case, each once.

    https://fetch.spec.whatwg.org/#cors-unsafe-request-header-names
    """
    size = sum(len(value) for name, value in headers if is_safelisted_header(name, value))
    return tuple(
        sorted({name.lower() for name, value in headers if size > _MAX_VALUES or not is_safelisted_header(name, value)})
    )


def is_forbidden_header(name: bytes, value: bytes) -> bool:
    """Whether scripts may not set this header at all (https://fetch.spec.whatwg.org/#forbidden-request-header)."""
    name = name.lower()
    if name in _FORBIDDEN_NAMES or name.startswith(_FORBIDDEN_PREFIXES):
        return True
    return name in _METHOD_OVERRIDES and any(method.upper() in _FORBIDDEN_METHODS for method in members(value))


def settable(request: Request) -> Headers:
    """What is left of a page's headers once the browser has dropped those that a script may not set.

    In mode ``no-cors`` only four safelisted ones remain.  The browser says nothing of what it drops.
    https://fetch.spec.whatwg.org/#concept-headers-append
    """
    headers = tuple((name, value.strip(WHITE_SPACE)) for name, value in request.headers)
    if request.mode is Mode.NO_CORS:
        return tuple(h for h in headers if h[0].lower() in _NO_CORS_NAMES and is_safelisted_header(*h))
    return tuple(header for header in headers if not is_forbidden_header(*header))


def is_preflighted(request: Request) -> bool:
    """Whether a cross-origin request in mode ``cors`` is preceded by a preflight.

    It is when the method or a header is not safelisted, and whatever they are when the upload is watched or streamed
    (https://fetch.spec.whatwg.org/#concept-main-fetch, https://fetch.spec.whatwg.org/#use-cors-preflight-flag).
    """
    return (
        request.upload is not Upload.PLAIN
        or request.method not in SAFELISTED_METHODS
        or bool(unsafe_names(request.headers))
    )


def _essence(value: bytes) -> bytes:
    """The essence of a MIME type, b"" for what is none (https://mimesniff.spec.whatwg.org/#parse-a-mime-type)."""
    essence = value.split(b";", 1)[0].strip(WHITE_SPACE).lower()
    kind, slash, subtype = essence.partition(b"/")
    return essence if slash and is_token(kind) and is_token(subtype) else b""


def _is_simple_range(value: bytes) -> bool:
    span = _RANGE.fullmatch(value)
    return span is not None and (not span[2] or int(span[1]) <= int(span[2]))
