"""A pasted ``fetch(...)``, XMLHttpRequest or axios call, read as the request of a page.

A call that developer tools have copied ("Copy as fetch", also for Node.js) has the browser's own headers in it, which
no script has set; it is known by them.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar
from urllib.parse import urljoin

from corsproxy.cors.browsers_own import scripts_own
from corsproxy.cors.fetch import Credentials, Headers, Mode, Request, Upload, get, origin_of
from corsproxy.tools.javascript import Literal, Unknown, arguments
from corsproxy.tools.pasted.curl import Unreadable

_FETCH: Final = re.compile(r"\bfetch\s*\(")
_AXIOS: Final = re.compile(r"\baxios(?:\.(?P<method>get|delete|head|options|post|put|patch|request))?\s*\(")
_OPEN: Final = re.compile(r"\.open\s*\(")
_SET_HEADER: Final = re.compile(r"\.setRequestHeader\s*\(")
_WITH_CREDENTIALS: Final = re.compile(r"\.withCredentials\s*=\s*true")
_UPLOAD_LISTENER: Final = re.compile(r"\.upload\s*\.\s*(?:addEventListener|on\w+)")
_Words = TypeVar("_Words", Credentials, Mode)
_FORM: Final = b"text/plain;charset=UTF-8"  # what a body of text is sent as where nothing else is said


def is_script(text: str) -> bool:
    """Whether this looks like a call that this file reads."""
    return bool(_FETCH.search(text) or _AXIOS.search(text) or _OPEN.search(text))


def read_script(text: str, origin: str = "") -> Request:
    """The request that the first call in a script makes, from a page of ``origin``.

    A copied call names its page by ``referrer``, which is taken where ``origin`` is "".  Raises Unreadable.
    """
    if match := _FETCH.search(text):
        return _fetch(arguments(text, match.end()), origin)
    if match := _AXIOS.search(text):
        return _axios(match["method"] or "", arguments(text, match.end()), origin)
    if match := _OPEN.search(text):
        return _xhr(text, arguments(text, match.end()), origin)
    raise Unreadable("there is no fetch(...), no axios call and no XMLHttpRequest in this text")


def _fetch(told: list[Literal], origin: str) -> Request:
    url = told[0] if told else None
    options = told[1] if len(told) > 1 and isinstance(told[1], dict) else {}
    headers = _headers(options.get("headers"))
    page = origin or _page(options.get("referrer")) or _page((get(headers, b"referer") or b"").decode("latin-1"))
    credentials = _member(Credentials, options.get("credentials"), Credentials.SAME_ORIGIN)
    if get(headers, b"cookie") is not None:
        credentials = Credentials.INCLUDE
    if "referrer" in options or any(name.lower().startswith(b"sec-") for name, _ in headers):
        headers = scripts_own(headers)
    body = options.get("body")
    if isinstance(body, str) and get(headers, b"content-type") is None:
        headers = (*headers, (b"content-type", _FORM))
    return _request(
        url,
        page,
        method=_text(options.get("method"), "GET"),
        headers=headers,
        credentials=credentials,
        mode=_member(Mode, options.get("mode"), Mode.CORS),
        upload=Upload.STREAM if "duplex" in options else Upload.PLAIN,
    )


_WITH_BODY: Final = frozenset({"post", "put", "patch"})


def _axios(method: str, told: list[Literal], origin: str) -> Request:
    """``axios(config)``, ``axios.get(url, config)``, ``axios.put(url, data, config)``.

    https://axios-http.com/docs/req_config; what is no text is sent as JSON.
    """
    options = next(
        (word for word in reversed(told[1:] if method in _WITH_BODY else told) if isinstance(word, dict)), {}
    )
    data = told[1] if method in _WITH_BODY and len(told) > 1 else options.get("data")
    if method in _WITH_BODY and len(told) < 3:
        options = {}
    headers = _headers(options.get("headers"))
    if isinstance(data, dict | list | Unknown) and get(headers, b"content-type") is None:
        headers = (*headers, (b"Content-Type", b"application/json"))
    url = told[0] if told and not isinstance(told[0], dict) else options.get("url")
    base = options.get("baseURL")
    return _request(
        urljoin(base.rstrip("/") + "/", url.lstrip("/")) if isinstance(base, str) and isinstance(url, str) else url,
        origin,
        method=(method if method not in {"", "request"} else _text(options.get("method"), "GET")).upper(),
        headers=headers,
        credentials=Credentials.INCLUDE if options.get("withCredentials") is True else Credentials.SAME_ORIGIN,
        mode=Mode.CORS,
        upload=Upload.WATCHED if "onUploadProgress" in options else Upload.PLAIN,
    )


def _xhr(text: str, told: list[Literal], origin: str) -> Request:
    method, url = (*told, None, None)[:2]
    set_headers = [arguments(text, match.end()) for match in _SET_HEADER.finditer(text)]
    headers = tuple((_bytes(pair[0]), _bytes(pair[1])) for pair in set_headers if len(pair) > 1)
    return _request(
        url,
        origin,
        method=_text(method, "GET"),
        headers=headers,
        credentials=Credentials.INCLUDE if _WITH_CREDENTIALS.search(text) else Credentials.SAME_ORIGIN,
        mode=Mode.CORS,
        upload=Upload.WATCHED if _UPLOAD_LISTENER.search(text) else Upload.PLAIN,
    )


def _request(
    url: Literal, origin: str, *, method: str, headers: Headers, credentials: Credentials, mode: Mode, upload: Upload
) -> Request:
    if not isinstance(url, str):
        raise Unreadable("the call's URL is no literal; write it in place of the variable")
    if not origin:
        raise Unreadable("the call does not say which page makes it; add --origin")
    return Request(
        url=urljoin(origin + "/", url),
        origin=origin.encode("latin-1", "replace"),
        method=method.encode("latin-1", "replace"),
        headers=headers,
        credentials=credentials,
        mode=mode,
        upload=upload,
    )


def _headers(told: Literal) -> Headers:
    """A mapping, or a list of pairs; a value that is no literal is something."""
    pairs = list(told.items()) if isinstance(told, dict) else told if isinstance(told, list) else []
    return tuple(
        (_bytes(pair[0]), _bytes(pair[1])) for pair in pairs if isinstance(pair, tuple | list) and len(pair) == 2
    )


def _bytes(value: Literal) -> bytes:
    return b"?" if isinstance(value, Unknown) else str(value).encode("latin-1", "replace")


def _text(value: Literal, otherwise: str) -> str:
    return value if isinstance(value, str) else otherwise


def _member(kind: type[_Words], value: Literal, otherwise: _Words) -> _Words:
    return next((word for word in kind if word == value), otherwise)


def _page(referrer: Literal) -> str:
    if not isinstance(referrer, str) or "://" not in referrer:
        return ""
    return origin_of(referrer).decode("latin-1")
