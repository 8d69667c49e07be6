"""Policies beside what they mean, requests beside what a browser makes of them, and upstreams: what tests draw from.

The meaning is said in structured values and as plainly as possible; nothing of the engine is used but the class that
holds what was written, so that the engine can be held against it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hypothesis import strategies as st

from corsproxy.cors.browser import Credentials, Request, Upload, WireResponse
from corsproxy.cors.policy import PolicySpec

# --- what can be written, and what it means ---------------------------------------------------------------------------


class Site(NamedTuple):
    """An origin, in its parts."""

    scheme: str
    host: str
    port: int | None = None  # None: the scheme's default

    def __str__(self):
        return f"{self.scheme}://{self.host}" + (f":{self.port}" if self.port else "")


class Entry(NamedTuple):
    """An entry of allow_origins, in its parts."""

    scheme: str
    host: str
    port: int | None = None
    subdomains: bool = False
    any_port: bool = False

    def __str__(self):
        port = ":*" if self.any_port else f":{self.port}" if self.port else ""
        return f"{self.scheme}://{'*.' if self.subdomains else ''}{self.host}{port}"

    def means(self, site):
        return (
            site.scheme == self.scheme
            and (site.host.endswith("." + self.host) if self.subdomains else site.host == self.host)
            and (self.any_port or site.port == self.port)
        )


DOMAINS = ["example.com", "app.example.com", "a.b.example.com", "other.example", "xn--bcher-kva.example"]
# Neighbours of the listed ones, as attackers and mistakes have them.
NEIGHBOURS = ["evilexample.com", "example.com.evil.test", "www.app.example.com", "example.co", "app-example.com", "com"]
ADDRESSES = ["localhost", "127.0.0.1", "[::1]", "192.0.2.1"]
PORTS = [None, 3000, 8443]
PATTERN = r"https://pr-[0-9]+\.example\.com"
NUMBERED = ["https://pr-12.example.com", "https://pr-x.example.com", "https://pr-12.example.com.evil.test"]

SCHEMES = st.sampled_from(["https", "http"])
SITES = st.builds(Site, SCHEMES, st.sampled_from(DOMAINS + NEIGHBOURS + ADDRESSES), st.sampled_from(PORTS))
HOSTS, NO, YES = st.sampled_from(DOMAINS + ADDRESSES), st.just(False), st.just(True)
EXACT = st.builds(Entry, SCHEMES, HOSTS, st.sampled_from(PORTS), NO, NO)
ANY_PORT = st.builds(Entry, SCHEMES, HOSTS, st.none(), NO, YES)
SUBDOMAINS = st.builds(Entry, SCHEMES, st.sampled_from(DOMAINS), st.sampled_from(PORTS), YES, NO)
BOTH = st.builds(Entry, SCHEMES, st.sampled_from(DOMAINS), st.none(), YES, YES)
ENTRIES = st.lists(EXACT | ANY_PORT | SUBDOMAINS | BOTH, max_size=4, unique=True)
ORIGINS = st.one_of(SITES.map(str), st.sampled_from(["null", *NUMBERED, "chrome-extension://abcdefgh"]))

# A browser's origin, strictly: what this does not match, no policy may allow (short of "*").
SERIALIZED = re.compile(
    r"(https?)://((?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}|\[[0-9a-f:]+\])(?::([1-9][0-9]{0,4}))?", re.ASCII
)


def read(origin):
    """The parts of an http(s) origin, or None for what no browser sends."""
    parts = SERIALIZED.fullmatch(origin)
    if parts is None or (parts[1], parts[3]) in {("http", "80"), ("https", "443")} or int(parts[3] or 0) > 65535:
        return None
    return Site(parts[1], parts[2], int(parts[3]) if parts[3] else None)


def mean(entries, origin):
    site = read(origin)
    return site is not None and any(entry.means(site) for entry in entries)


class Written(NamedTuple):
    """A policy as it is written, beside what its origins mean."""

    spec: PolicySpec
    entries: tuple[Entry, ...] = ()
    timed: tuple[Entry, ...] = ()

    def means_origin(self, origin):
        if "*" in self.spec.allow_origins or origin in self.spec.allow_origins:
            return True
        if self.spec.allow_origin_regex and re.fullmatch(self.spec.allow_origin_regex, origin):
            return True
        return mean(self.entries, origin)

    def means_timing(self, origin):
        return "*" in self.spec.timing_allow_origins or mean(self.timed, origin)

    def means_method(self, method):
        listed = self.spec.allow_methods
        return method in {"GET", "HEAD", "POST"} or listed == ("*",) or method in listed

    def means_header(self, name):
        listed = self.spec.allow_headers
        return listed == ("*",) or name.lower() in {entry.lower() for entry in listed}

    def means_credentials(self, credentials):
        return self.spec.allow_credentials or credentials is not Credentials.INCLUDE


METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "QUERY", "Egg"]
# name, value, whether a browser has to ask for it
HEADERS = [
    ("X-A", "1", True),
    ("x-b", "", True),
    ("Authorization", "Bearer x", True),
    ("Content-Type", "application/json", True),
    ("Accept-Language", "en_US", True),
    ("Range", "bytes=-5", True),
    ("Content-Type", "text/plain", False),
    ("Accept", "application/json", False),
    ("Range", "bytes=0-5", False),
]
EXPOSED = ["X-A", "x-total-count", "ETag", "Content-Type", "Link", "Vary"]


def any_or_some(names, empty=()):
    """A list as users write it: some names, in any case where case does not count, or the wildcard."""
    return st.one_of(
        st.just(("*",)), st.just(empty), st.lists(st.sampled_from(names), max_size=4, unique_by=str.lower).map(tuple)
    )


@st.composite
def policies(draw):
    credentials = draw(st.booleans())
    entries = tuple(draw(ENTRIES))
    origins = tuple(map(str, entries))
    null = not credentials and draw(st.booleans())
    if null:
        origins += ("null",)
    if not credentials and draw(st.integers(0, 4)) == 0:
        origins, entries = ("*",), ()
    regex = PATTERN if origins != ("*",) and draw(st.integers(0, 4)) == 0 else None
    if not origins and regex is None:
        entries = (Entry("https", "example.com"),)
        origins = ("https://example.com",)
    timed = tuple(draw(ENTRIES))
    header_names = [draw(st.sampled_from([str.lower, str.upper, str]))(name) for name, _, _ in HEADERS]
    spec = PolicySpec(
        name="web-app",
        allow_origins=origins,
        allow_origin_regex=regex,
        allow_methods=draw(any_or_some(METHODS, ("GET", "HEAD", "POST"))),
        allow_headers=draw(any_or_some(header_names)),
        expose_headers=draw(any_or_some(EXPOSED)),
        allow_credentials=credentials,
        max_age=draw(st.none() | st.integers(0, 86400)),
        allow_private_network=draw(st.booleans()),
        timing_allow_origins=("*",) if draw(st.integers(0, 4)) == 0 else tuple(map(str, timed)),
        cross_origin_resource_policy=draw(st.sampled_from([None, "same-origin", "same-site", "cross-origin"])),
        preflight_status=draw(st.integers(200, 299)),
        on_denied=draw(st.sampled_from(["forward", "reject"])),
        dangerously_allow_null=null or draw(st.booleans()),
        dangerously_allow_insecure_origins=credentials,
    )
    return Written(spec, entries, timed)


# --- what a page asks, and what the upstream says ---------------------------------------------------------------------

API = "https://api.test/orders"


class Asked(NamedTuple):
    """A request, beside what a browser would have to ask a preflight for."""

    request: Request
    method: str  # as the browser normalizes it
    unsafe: tuple[str, ...]


def own_origins(written):
    """Origins that the policy's entries suggest."""
    own = [st.sampled_from([text for text in written.spec.allow_origins if "*" not in text] or ["https://a.example"])]
    for entry in written.entries:
        port = st.sampled_from([*PORTS, 1234]) if entry.any_port else st.just(entry.port)
        host = st.sampled_from([f"x.{entry.host}", f"x.y.{entry.host}"]) if entry.subdomains else st.just(entry.host)
        own.append(st.builds(Site, st.just(entry.scheme), host, port).map(str))
    return st.one_of(own)


@st.composite
def cases(draw):
    """A policy and a request: anything at all, or aimed at what the policy allows, in all things or in all but one."""
    written = draw(policies())
    astray = draw(st.sampled_from(["origin", "method", "headers", "credentials", "everything", "nothing", "nothing"]))

    def choose(what, own, others):
        return draw(others if astray in {what, "everything"} else own)

    listed = [method for method in written.spec.allow_methods if method != "*"]
    known = [header for header in HEADERS if not header[2] or written.means_header(header[0])]
    modes = st.sampled_from(Credentials)
    method = choose("method", st.sampled_from([*listed, "GET"]), st.sampled_from([*METHODS, "put", "patch", "LOCK"]))
    headers = choose("headers", some(known), some(HEADERS))
    request = Request(
        url=API,
        origin=choose("origin", own_origins(written), ORIGINS).encode(),
        method=method.encode(),
        headers=tuple((name.encode(), value.encode()) for name, value, _ in headers),
        credentials=choose("credentials", modes.filter(written.means_credentials), modes),
        upload=draw(st.sampled_from(Upload)),
    )
    normalized = "PUT" if method == "put" else method
    return written, Asked(request, normalized, tuple(name for name, _, unsafe in headers if unsafe))


def some(headers):
    return st.lists(st.sampled_from(headers), max_size=3, unique=True)


UPSTREAM_HEADERS = st.lists(
    st.sampled_from(
        [
            (b"X-A", b"1"),
            (b"x-total-count", b"3"),
            (b"ETag", b'"x"'),
            (b"Content-Type", b"text/plain"),
            (b"Set-Cookie", b"a=b"),
            (b"Link", b"</x>"),
            (b"Vary", b"Accept"),
            (b"Cache-Control", b"no-store"),
        ]
    ),
    unique=True,
).map(tuple)
# What legacy APIs say of CORS by themselves, and what would open them, or break the page, if it came through.
UPSTREAM_CORS = st.lists(
    st.sampled_from(
        [
            (b"Access-Control-Allow-Origin", b"*"),
            (b"access-control-allow-origin", b"https://example.com"),
            (b"Access-Control-Allow-Origin", b"null"),
            (b"Access-Control-Allow-Credentials", b"true"),
            (b"ACCESS-CONTROL-ALLOW-CREDENTIALS", b"false"),
            (b"Access-Control-Allow-Methods", b"*"),
            (b"Access-Control-Allow-Headers", b"*, Authorization"),
            (b"Access-Control-Expose-Headers", b"*"),
            (b"Access-Control-Expose-Headers", b"ETag, Link"),
            (b"Access-Control-Allow-Private-Network", b"true"),
            (b"Timing-Allow-Origin", b"*"),
        ]
    )
).map(tuple)
STATUSES = st.sampled_from([200, 204, 206, 301, 304, 400, 401, 403, 404, 500, 502, 503, 504])
UPSTREAMS = st.builds(WireResponse, STATUSES, UPSTREAM_HEADERS)
