"""What Chromium and the browser model are both asked: a request of a page, and what a server answers.

Rows come from three places: the expectations of the web-platform-tests, as facts in tables of this project's own, with
the file that has them; rows picked by hand, one a reason; and rows drawn by a generator with a fixed seed, so that
every run asks the same.  ``{origin}`` in an answer is the page's origin, ``{here}`` the server's, ``{self}`` the row's
URL, and ``{there}/then`` another of the same server by another name.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from corsproxy.cors.fetch import Credentials, Headers, Mode, Request, WireResponse

OK: Final = WireResponse(200)
ALLOW_ORIGIN, ALLOW_CREDENTIALS = b"Access-Control-Allow-Origin", b"Access-Control-Allow-Credentials"
ALLOW_METHODS, ALLOW_HEADERS = b"Access-Control-Allow-Methods", b"Access-Control-Allow-Headers"
EXPOSE = b"Access-Control-Expose-Headers"
OWN: Final = (ALLOW_ORIGIN, b"{origin}")
ANY: Final = (ALLOW_ORIGIN, b"*")
TRUE: Final = (ALLOW_CREDENTIALS, b"true")
INCLUDE: Final = Credentials.INCLUDE


@dataclass(frozen=True, kw_only=True)
class Case:
    """A row; ``then`` answers what a redirect to ``{there}/then`` asks; ``passes`` is what the source says."""

    name: str
    method: bytes = b"GET"
    headers: Headers = ()
    credentials: Credentials = Credentials.SAME_ORIGIN
    mode: Mode = Mode.CORS
    initiator: str = "fetch"
    preflight: WireResponse = OK
    actual: WireResponse = OK
    then: WireResponse = OK
    passes: bool | None = None
    lenient: bool = False  # Chromium 156 lets pass what the standard blocks

    def __str__(self) -> str:
        return self.name

    def request(self, url: str, origin: str) -> Request:
        """The request for the browser model."""
        return Request(
            url=url,
            origin=origin.encode(),
            method=self.method,
            headers=self.headers,
            credentials=self.credentials,
            mode=self.mode,
        )


def filled(answer: WireResponse, values: Mapping[str, str]) -> WireResponse:
    """An answer with the values of this run in it."""
    headers = []
    for name, value in answer.headers:
        for placeholder, text in values.items():
            value = value.replace(b"{%b}" % placeholder.encode(), text.encode())  # noqa: PLW2901
        headers.append((name, value))
    return replace(answer, headers=tuple(headers))


def answer(*headers: tuple[bytes, bytes], status: int = 200) -> WireResponse:
    return WireResponse(status, headers)


# --- web-platform-tests -----------------------------------------------------------------------------------------------

# fetch/api/cors/cors-preflight-star.any.js: passes, credentials, granted method, granted header, method, header.
_STAR = [
    (True, False, b"get", b"x-test", b"GET", b"X-Test"),
    (True, False, b"*", b"x-test", b"SUPER", b"X-Test"),
    (True, False, b"*", b"*", b"OK", b"X-Test"),
    (False, True, b"*", b"*", b"OK", b"X-Test"),
    (False, True, b"*", b"", b"PUT", b""),
    (True, True, b"PUT", b"*", b"PUT", b""),
    (False, True, b"get", b"*", b"GET", b"X-Test"),
    (False, True, b"*", b"*", b"GET", b"X-Test"),
    (True, True, b"*", b"*", b"*", b"*"),
    (False, True, b"put", b"*", b"PUT", b""),
]
# fetch/api/cors/cors-preflight-status.any.js; 1xx are no answers.
_STATUSES = [*range(200, 207), *range(300, 309), *range(400, 406), *range(501, 506)]
# fetch/api/cors/cors-preflight-response-validation.any.js: header, value.
_MALFORMED = [
    (ALLOW_HEADERS, b"x-force-preflight, header name with space"),
    (ALLOW_METHODS, b"Bad method name"),
]
# cors/cors-safelisted-request-header.any.js: header, value, is asked for first.
_SAFELISTED = [
    (b"content-type", b"text /plain", True),
    (b"content-type", b"text/plain;", False),
    (b"content-type", b"text/plain;garbage", False),
    (b"content-type", b"text/plain;garbage\x01\x02", True),
    (b"content-type", b"text/plain,", True),
    (b"content-type", b",text/plain", True),
    (b"content-type", b"text/plain,text/plain", True),
    (b"content-type", b"text/plain,x/x", True),
    (b"content-type", b"application/www-form-urlencoded", True),
    (b"content-type", b"application/x-www-form-urlencoded;\x7f", True),
    (b"content-type", b"multipart/form-data", False),
    (b"content-type", b'multipart/form-data;"', True),
    (b"range", b"100-200", True),
    (b"range", b"MB=100-200", True),
    (b"range", b"bytes=100-200", False),
    (b"range", b"bytes =100-200", True),
    (b"range", b"bytes=  100-200", True),
    (b"range", b"bytes=100 -200", True),
    (b"range", b"bytes=100- 200", True),
    (b"range", b"bytes=100-200hello", True),
    (b"range", b"bytes=abc-def", True),
    (b"range", b"bytes=100-200,300-400", True),
    (b"range", b"bytes=-200", True),
    (b"range", b"bytes=200-", False),
    (b"range", b"bytes=200-100", True),
    (b"range", b"bytes=1" + b"0" * 60 + b"-2" + b"0" * 60, True),
    (b"range", b"bytes 100-200", True),
    (b"range", b",bytes=100-200", True),
]
# cors/origin.htm and fetch/api/cors/cors-origin.any.js: Access-Control-Allow-Origin, passes.
_ORIGINS = [
    (b"*", True),
    (b" *  ", True),
    (b"\t*", True),
    (b"{origin}", True),
    (b" {origin} \t ", True),
    (b"{here}", False),
    (b"//app.localhost", False),
    (b"://app.localhost", False),
    (b"ftp://app.localhost", False),
    (b"http:://app.localhost", False),
    (b"http:/app.localhost", False),
    (b"http:app.localhost", False),
    (b"app.localhost", False),
    (b"{origin}?", False),
    (b"{origin}/", False),
    (b"{origin} /", False),
    (b"{origin}#", False),
    (b"{origin}%23", False),
    (b"{origin}, *", False),
    (b"HTTP://APP.LOCALHOST", False),
    (b"-", False),
    (b"**", False),
    (b"'*'", False),
    (b'"*"', False),
    (b"* *", False),
    (b"* null", False),
    (b"*://*", False),
    (b"*{origin}", False),
    (b"* {origin}", False),
    (b"*, {origin}", False),
    (b"null {origin}", False),
    (b"http://example.net", False),
    (b"null", False),
    (b"null *", False),
    (b"", False),
    (b"{origin}/page.html", False),
    (b".example.net", False),
    (b"*.example.net", False),
    (b"http://.example.net", False),
    (b"http://*.example.net", False),
]
_DOUBLED = [(b"", b"*"), (b"*", b""), (b"*", b"*"), (b"", b"{origin}"), (b"*", b"{origin}"), (b"{origin}", b"{origin}")]


def from_wpt() -> Iterator[Case]:
    """The public expectations of the web-platform-tests."""
    for passes, cookies, methods, names, method, name in _STAR:
        base = (OWN, TRUE) if cookies else (ANY,)
        yield Case(
            name=f"cors-preflight-star: {method!r} of {methods!r}, {name!r} of {names!r}, cookies {cookies}",
            method=method,
            headers=((name, b"1"),) if name else (),
            credentials=INCLUDE if cookies else Credentials.SAME_ORIGIN,
            preflight=answer(*base, (ALLOW_METHODS, methods), (ALLOW_HEADERS, names)),
            actual=answer(*base),
            passes=passes,
        )
    forced: dict[str, Any] = {"headers": ((b"x-force-preflight", b""),), "actual": answer(ANY)}
    granted = (ANY, (ALLOW_HEADERS, b"x-force-preflight"))
    for status in _STATUSES:
        location = ((b"Location", b"{there}/then"),) if status in {301, 302, 303, 307, 308} else ()
        preflight = answer(*granted, *location, status=status)
        yield Case(name=f"cors-preflight-status: {status}", preflight=preflight, passes=status < 300, **forced)
    for name, value in _MALFORMED:
        preflight = answer(*granted, (name, value))
        yield Case(name=f"cors-preflight-response-validation: {value!r}", preflight=preflight, passes=False, **forced)
    for name, value, asked in _SAFELISTED:
        yield Case(
            name=f"cors-safelisted-request-header: {name.decode()}: {value!r}",
            method=b"POST",
            headers=((name, value),),
            preflight=answer(status=404),
            actual=answer(ANY),
            passes=not asked,
        )
    for value, passes in _ORIGINS:
        yield Case(name=f"origin: {value!r}", actual=answer((ALLOW_ORIGIN, value)), passes=passes)
    for first, second in _DOUBLED:
        actual = answer((ALLOW_ORIGIN, first), (ALLOW_ORIGIN, second))
        yield Case(name=f"origin, two lines: {first!r}, {second!r}", actual=actual, passes=False)


# --- by hand ----------------------------------------------------------------------------------------------------------

_PUT = (ALLOW_METHODS, b"PUT")
_THERE = (b"Location", b"{there}/then")
BY_HAND: Final = [
    Case(name="an opaque answer", mode=Mode.NO_CORS),
    Case(name="another origin where the same is asked for", mode=Mode.SAME_ORIGIN, actual=answer(ANY)),
    Case(name="a redirect", actual=answer(ANY, _THERE, status=302), then=answer(ANY)),
    Case(name="a redirect without headers", actual=answer(_THERE, status=302), then=answer(ANY)),
    Case(name="a redirect to somebody without headers", actual=answer(ANY, _THERE, status=302)),
    Case(name="a redirect makes the origin null", actual=answer(OWN, _THERE, status=302), then=answer(OWN)),
    Case(
        name="a redirected preflight",
        method=b"PUT",
        preflight=answer(ANY, _PUT, _THERE, status=307),
    ),
    Case(
        name="a redirected PUT asks again",
        method=b"PUT",
        preflight=answer(ANY, _PUT),
        actual=answer(ANY, _THERE, status=307),
        then=answer(ANY),
    ),
    Case(
        name="a user name in a redirect",
        actual=answer(ANY, (b"Location", b"http://me:secret@a.localhost/"), status=302),
    ),
    Case(name="a redirect to ftp", actual=answer(ANY, (b"Location", b"ftp://a.localhost/"), status=302)),
    Case(name="a redirect to data", actual=answer(ANY, (b"Location", b"data:,x"), status=302)),
    Case(name="a redirect to nowhere", actual=answer(ANY, (b"Location", b"http://[:"), status=302)),
    Case(name="two locations", actual=answer(ANY, (b"Location", b"/a"), (b"Location", b"/b"), status=302)),
    Case(name="no end of redirects", actual=answer(ANY, (b"Location", b"{self}"), status=302)),
    Case(
        name="Authorization under a star",
        headers=((b"Authorization", b"Bearer t"),),
        preflight=answer(ANY, (ALLOW_HEADERS, b"*")),
        actual=answer(ANY),
        lenient=True,
    ),
    Case(
        name="Authorization beside a star",
        headers=((b"Authorization", b"Bearer t"),),
        preflight=answer(ANY, (ALLOW_HEADERS, b"*, Authorization")),
        actual=answer(ANY),
    ),
    Case(name="True is not true", credentials=INCLUDE, actual=answer(OWN, (ALLOW_CREDENTIALS, b"True"))),
    Case(name="true twice", credentials=INCLUDE, actual=answer(OWN, TRUE, TRUE)),
    Case(name="the star and cookies", credentials=INCLUDE, actual=answer(ANY, TRUE)),
    Case(name="XHR: the star and cookies", credentials=INCLUDE, actual=answer(ANY, TRUE), initiator="XMLHttpRequest"),
    Case(name="XHR: no credentials allowed", credentials=INCLUDE, actual=answer(OWN), initiator="XMLHttpRequest"),
    Case(name="XHR: another origin", actual=answer((ALLOW_ORIGIN, b"http://b.example")), initiator="XMLHttpRequest"),
    Case(name="XHR: allowed", actual=answer(OWN, (EXPOSE, b"X-One"), (b"X-One", b"1")), initiator="XMLHttpRequest"),
    Case(name="a forbidden header is dropped", headers=((b"Cookie", b"a=b"), (b"Sec-X", b"1")), actual=answer(ANY)),
    Case(
        name="what is exposed by a star", actual=answer(ANY, (EXPOSE, b"*"), (b"X-One", b"1"), (b"Set-Cookie", b"a=b"))
    ),
    Case(
        name="what a star exposes with cookies",
        credentials=INCLUDE,
        actual=answer(OWN, TRUE, (EXPOSE, b"*"), (b"X-One", b"1")),
    ),
    Case(
        name="a list of what is exposed",
        actual=answer(ANY, (EXPOSE, b"x-one,, X-TWO"), (b"X-One", b"1"), (b"X-Two", b"2")),
    ),
    Case(name="a malformed list exposes nothing", actual=answer(ANY, (EXPOSE, b"x one, X-Two"), (b"X-Two", b"2"))),
]

# --- drawn ------------------------------------------------------------------------------------------------------------

_Value = TypeVar("_Value")
_DRAWN: Final = 200
_SEED: Final = 20
_OTHERS = (b"*", b"null", b"http://b.example", b"{origin}/", b"hello", b"{origin}, {origin}", b"", None)
_METHODS = (b"GET", b"POST", b"PUT", b"put", b"DELETE", b"PATCH", b"patch", b"HEAD", b"QUERY")
_NAMES: tuple[tuple[bytes, bytes], ...] = (
    (b"X-A", b"1"),
    (b"Authorization", b"Bearer t"),
    (b"Content-Type", b"application/json"),
    (b"Content-Type", b"text/plain"),
    (b"Accept", b"text/html"),
    (b"Accept-Language", b"de"),
    (b"Range", b"bytes=0-1"),
)


def drawn() -> Iterator[Case]:
    """Cases by chance; what would be right is twice as likely as anything else, so that every check is reached."""
    chance = random.Random(_SEED)
    for number in range(_DRAWN):
        method, headers = chance.choice(_METHODS), tuple(chance.sample(_NAMES, chance.choice((0, 0, 1, 2))))
        cookies = chance.choice((*Credentials, INCLUDE))
        names = b", ".join(name.lower() for name, _ in headers)
        granted = _access(chance, cookies)
        yield Case(
            name=f"drawn {number}",
            method=method,
            headers=headers,
            credentials=cookies,
            initiator="fetch",
            preflight=answer(
                *(granted if chance.random() < 0.8 else _access(chance, cookies)),
                *_line(ALLOW_METHODS, _or(chance, method.upper(), (b"*", b"put", b"PUT, DELETE", b"P UT", None))),
                *_line(ALLOW_HEADERS, _or(chance, names, (b"*", b"x-a", b"X-A, authorization", b"x a", None))),
                status=_or(chance, 204, (200, 299, 403, 500)),
            ),
            actual=answer(
                *granted,
                *_line(EXPOSE, _or(chance, b"x-one", (b"*", b"X-Two, x-one", b"Set-Cookie", None))),
                *((b"X-One", b"1"), (b"X-Two", b"2"), (b"Cache-Control", b"no-store")),
                status=_or(chance, 200, (201, 404, 500)),
            ),
        )


def _access(chance: random.Random, cookies: Credentials) -> tuple[tuple[bytes, bytes], ...]:
    origin = _or(chance, b"{origin}", _OTHERS)
    right = b"true" if cookies is INCLUDE else None
    return (
        *_line(ALLOW_ORIGIN, origin),
        *_line(ALLOW_CREDENTIALS, _or(chance, right, (b"true", b"false", b"TRUE", None))),
    )


def _or(chance: random.Random, right: _Value, others: Sequence[_Value]) -> _Value:
    return right if chance.random() < 0.66 else chance.choice(others)


def _line(name: bytes, value: bytes | None) -> tuple[tuple[bytes, bytes], ...]:
    return ((name, value),) if value is not None else ()


CASES: Final = [*from_wpt(), *BY_HAND, *drawn()]
