"""Pairs of tables to compare, alike enough to have something in common, and requests that aim at their differences."""

from __future__ import annotations

from hypothesis import strategies as st

from corsproxy.config.load import compile_config
from corsproxy.config.model import Config
from corsproxy.cors.browser import Credentials, Request
from tests.cors.meaning import EXPOSED, HEADERS, METHODS, ORIGINS, PATTERN

EXPRESSIONS = [
    PATTERN,
    r"https://([a-z0-9-]+\.)+example\.com",
    r"https://[a-z]+\.example\.com",
    r"https://(app|www)\.example\.com(:[0-9]+)?",
    r"https?://app\.example\.com",
    r"http://localhost:[0-9]{4}",
    r"https://.*\.app\.example\.com(:8443)?",
]
HOSTS = ["", "", "api.test", "*.test", "*.api.test", "a.api.test", "[::1]"]
PATHS = ["/", "/", "/a", "/a/b", "/ab", "/a/b/c"]
UPSTREAMS = ["http://one.internal:8000", "http://two.internal:8000", "http://one.internal:8000/base"]
TARGETS = [
    "/",
    "/a",
    "/a/",
    "/a/x",
    "/a/b",
    "/a/b/c/d",
    "/ab",
    "/abc",
    "/x",
    "/%61/b",
    "//a",
    "/a//b",
    "/a%2Fb",
    "/a;x/b",
]
NAMES = [
    "api.test",
    "a.api.test",
    "b.api.test",
    "other.test",
    "elsewhere.example",
    "[::1]",
    "api.test:8443",
    "app.example.com",
]
ENTRIES = [
    "https://example.com", "https://app.example.com", "https://app.example.com:8443", "http://app.example.com",
    "https://*.example.com", "https://*.app.example.com", "https://*.example.com:8443", "https://*.example.com:*",
    "https://app.example.com:*", "http://localhost:*", "http://localhost:3000", "https://[::1]:*", "https://192.0.2.1",
    "chrome-extension://abcdefgh", "https://api.test", "null",
]  # fmt: skip
SOME_ENTRIES = st.lists(st.sampled_from(ENTRIES), max_size=3, unique=True)
ANY_OR_ENTRIES = st.one_of(SOME_ENTRIES, SOME_ENTRIES, st.just(["*"]))


def names(listed):
    return st.one_of(st.just(["*"]), st.lists(st.sampled_from(listed), max_size=3, unique=True))


POLICY = {
    "allow_origins": ANY_OR_ENTRIES,
    "allow_origin_regex": st.one_of(st.none(), st.none(), st.sampled_from(EXPRESSIONS)),
    "allow_methods": names(METHODS),
    "allow_headers": names(["X-A", "x-b", "Authorization", "content-type", "Range"]),
    "expose_headers": names(EXPOSED),
    "allow_credentials": st.booleans(),
    "max_age": st.sampled_from(["none", 600]),
    "allow_private_network": st.booleans(),
    "timing_allow_origins": ANY_OR_ENTRIES,
    "cross_origin_resource_policy": st.sampled_from([None, "same-origin", "same-site", "cross-origin"]),
    "on_denied": st.sampled_from(["forward", "reject"]),
}


def valid(keys):
    """The policy without what could not be compiled together."""
    keys = dict(keys, dangerously_allow_null=True, dangerously_allow_insecure_origins=True)
    if keys["allow_credentials"]:
        keys["allow_origins"] = [entry for entry in keys["allow_origins"] if entry not in {"*", "null"}]
    if keys["allow_origins"] == ["*"]:
        keys["allow_origin_regex"] = None
    if not keys["allow_origins"] and keys["allow_origin_regex"] is None:
        keys["allow_origins"] = ["https://example.com"]
    return keys


@st.composite
def altered(draw, keys):
    """A policy with some keys written anew."""
    taken = draw(st.lists(st.sampled_from(sorted(POLICY)), max_size=3, unique=True))
    return {**keys, **{key: draw(POLICY[key]) for key in taken}}


@st.composite
def pairs(draw):
    """Two tables."""
    first = draw(st.fixed_dictionaries(POLICY))
    second = draw(altered(first))
    others = [draw(altered(keys)) for keys in (first, second)]
    places = draw(
        st.lists(st.tuples(st.sampled_from(HOSTS), st.sampled_from(PATHS)), min_size=1, max_size=4, unique=True)
    )
    left, right = ({"p": valid(one), "q": valid(other)} for one, other in zip((first, second), others, strict=True))
    return compiled(left, draw(rules(places))), compiled(right, draw(rules(places)))


@st.composite
def rules(draw, places):
    """Rules at some of these places."""
    chosen = draw(st.lists(st.sampled_from(places), min_size=1, unique=True))
    return [draw(rule(*place)) for place in chosen]


@st.composite
def rule(draw, host, path):
    policy = draw(st.sampled_from(["p", "p", "p", "q", "q", "none"]))
    keys = {"path": path, "upstream": draw(st.sampled_from(UPSTREAMS)), "policy": policy}
    if host:
        keys["host"] = host
    if policy != "none" and draw(st.integers(0, 7)) == 0:
        keys["upstream_cors"] = "keep"
    if draw(st.integers(0, 7)) == 0:
        keys["forward_origin"] = "remove"
    return keys


def compiled(policies, rules):
    """The table of a configuration."""
    return compile_config(Config.model_validate({"policies": policies, "rules": rules})).table


ORIGIN_PARTS = [
    "https://a.example.com", "https://a.b.example.com", "https://www.example.com", "https://example.com:3000",
    "https://app.example.com:3000", "https://a.app.example.com:8443", "https://1.example.com", "https://-.example.com",
    "http://localhost:3000", "http://localhost", "https://stranger.example", "https://api.test", "https://pr-1.example.com",
    "https://x!y.example", "https://a..example.com",
    f"https://{'a' * 63}.example.com", f"https://{'a' * 64}.example.com",
]  # fmt: skip


@st.composite
def requests(draw, origins):
    """A request of some page; ``origins`` are those that are interesting."""
    origin = draw(st.one_of(st.sampled_from(origins or ["null"]), ORIGINS, st.sampled_from(ORIGIN_PARTS)))
    headers = draw(st.lists(st.sampled_from([*HEADERS, ("X-Anything", "1", True)]), max_size=2, unique_by=str))
    return Request(
        url=f"https://{draw(st.sampled_from(NAMES))}{draw(st.sampled_from(TARGETS))}",
        origin=origin.encode(),
        method=draw(st.sampled_from([*METHODS, "PURGE"])).encode(),
        headers=tuple((name.encode(), value.encode()) for name, value, _ in headers),
        credentials=draw(st.sampled_from(Credentials)),
    )
