"""For any traffic: under the learnt table all of it works, and without any single thing that was learnt it does not.

The pages are put through the browser model, against an API that allows everything: what goes over the wire then is what
is learnt from, so that nothing here says a second time what a request needs.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from corsproxy.config.load import load_config
from corsproxy.cors.browser import run
from corsproxy.cors.fetch import Credentials, Request, WireResponse, get
from corsproxy.errors import InvalidConfig
from corsproxy.http.needs import needs_of
from corsproxy.tools.learning.evidence import Evidence, Seen
from corsproxy.tools.learning.places import Places
from corsproxy.tools.learning.proposal import Basis, propose
from corsproxy.tools.simulation import Simulation
from corsproxy.tools.written_config import WrittenConfig

API = "http://api.example.net:8000"
FRIENDS = ["https://app.example.com", "https://shop.test", "https://partner.example.org:8443", "http://localhost:5173"]
# Who looks like one of the friends, and who is nobody's.
ENEMIES = {
    "https://app.example.com.evil.test": "https://app.example.com",
    "https://appxexample.com": "https://app.example.com",
    "https://evilshop.test": "https://shop.test",
    "http://shop.test": "https://shop.test",
    "null": "",
    "http://192.0.2.7": "",
}
PATHS = ["/orders", "/orders/7", "/api/v1/users/3", "/search", "/"]
HEADERS = [
    (b"X-Key", b"k"),
    (b"Content-Type", b"application/json"),
    (b"Authorization", b"Bearer x"),
    (b"Authorization", b"Basic YTpi"),
]
EXPOSED = ["x-total-count", "link"]
ANSWERED = [*EXPOSED, "server", "etag", "cache-control"]

PRESENT = f"""\
# what there is
policies:
  web-app:
    allow_origins: [https://app.example.com]   # reviewed
    allow_methods: [GET, PUT]
rules:
  - {{path: /orders, upstream: "{API}", policy: web-app}}   # the shop
  - {{path: /search, upstream: "{API}", policy: none}}
  - {{path: /, upstream: "{API}", policy: {{allow_origins: ["https://old.test"], allow_credentials: true}}}}
"""


class Page(NamedTuple):
    """A request of a page, and which headers the answer to it has."""

    request: Request
    answered: tuple[str, ...]


@st.composite
def pages(draw, origins):
    request = Request(
        url=API + draw(st.sampled_from(PATHS)),
        origin=draw(st.sampled_from(origins)).encode(),
        method=draw(st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"PATCH"])),
        headers=tuple(draw(st.lists(st.sampled_from(HEADERS), max_size=2, unique_by=lambda header: header[0]))),
        credentials=draw(st.sampled_from([Credentials.OMIT, Credentials.INCLUDE])),
    )
    return Page(request, tuple(draw(st.lists(st.sampled_from(ANSWERED), max_size=3, unique=True))))


def answer(page):
    return WireResponse(200, tuple((name.encode(), b"x") for name in page.answered))


def watched(page):
    """What an observer in front of an API that allows everything sees of a page."""
    origin, seen = page.request.origin.decode(), []

    def send(asked):
        names = get(asked.headers, b"access-control-request-headers") or b""
        granted = [
            (b"Access-Control-Allow-Origin", page.request.origin),
            (b"Access-Control-Allow-Credentials", b"true"),
            (b"Access-Control-Allow-Methods", page.request.method),
            (b"Access-Control-Allow-Headers", names),
        ]
        answered = answer(page)
        lines = [(name.lower(), value) for name, value in asked.headers]
        lines += [(b"cookie", b"id=1")] if asked.credentials else []
        needs = needs_of(asked.method, lines, answered.headers, 200)
        path = page.request.url.removeprefix(API)
        seen.append(Seen(origin, API.removeprefix("http://"), path, needs, 200, 0.0, "", "test"))
        return WireResponse(200, (*answered.headers, *granted))

    assert run(page.request, send).verdict.allowed
    return seen


def works(page, table):
    """Whether the page gets what it needs through the proxy."""
    fetched = run(page.request, Simulation(table, lambda _: answer(page)).send)
    if fetched.response is None:
        return False
    read = {name.decode().lower() for name, _ in fetched.response.headers}
    return read >= set(page.answered) & set(EXPOSED)


def all_work(friends, text):
    try:
        table = load_config(text, "config.yaml", {}).table
    except InvalidConfig:  # a policy without origins, or a rule without a policy
        return False
    return all(works(page, table) for page in friends)


def learnt(everybody, text):
    config = WrittenConfig.read(text, "config.yaml", {}) if text else None
    evidence = Evidence(Places(config.compiled.table if config else None))
    for page in everybody:
        for seen in watched(page):
            evidence.add(seen)
    return propose(evidence.kinds(), Basis(config, "" if config else API))


def grants(document):
    """Every grant of a document: the path to it, and for an entry of a list its value."""
    places = [("policies", name) for name in document.get("policies", {})]
    places += [("rules", index, "policy") for index, rule in enumerate(document["rules"])]
    for place in places:
        policy = within(document, place)
        for key, value in policy.items() if isinstance(policy, dict) else ():
            for entry in value if isinstance(value, list) else [value]:
                yield (*place, key), entry


def within(document, path):
    for step in path:
        document = document[step]
    return document


def without(document, path, entry):
    changed = copy.deepcopy(document)
    *above, key = path
    policy = within(changed, above)
    if isinstance(policy[key], list):
        policy[key].remove(entry)
    else:
        del policy[key]
    return changed


# Browsers grant these whether they are listed or not, so that an added list may repeat what was there by default.
UNASKED = ("GET", "HEAD", "POST")


@pytest.mark.parametrize("text", ["", PRESENT], ids=["new", "present"])
@settings(max_examples=20, deadline=None)
@given(friends=st.lists(pages(FRIENDS), min_size=1, max_size=6), enemies=st.lists(pages([*ENEMIES]), max_size=3))
def test_what_is_learnt_is_enough_and_no_more(text, friends, enemies):
    known = {"", *(page.request.origin.decode() for page in friends)}
    enemies = [page for page in enemies if ENEMIES[page.request.origin.decode()] in known]
    proposal = learnt([*friends, *enemies], text)
    after = proposal.after
    assert all_work(friends, after)
    document, before = yaml.safe_load(after), list(grants(yaml.safe_load(text))) if text else []
    added = [grant for grant in grants(document) if grant not in before and grant[1] not in UNASKED]
    for path, entry in added:
        assert not all_work(friends, yaml.safe_dump(without(document, path, entry))), (path, entry)


@pytest.mark.parametrize("text", ["", PRESENT], ids=["new", "present"])
@settings(max_examples=15, deadline=None)
@given(enemies=st.lists(pages([*ENEMIES]), min_size=1, max_size=4))
def test_an_attack_is_never_learnt(text, enemies):
    friends = [Page(Request(url=f"{API}{path}", origin=origin.encode()), ()) for path in PATHS for origin in FRIENDS]
    proposal = learnt([*friends, *enemies], text)
    table = load_config(proposal.after, "config.yaml", {}).table
    assert {page.request.origin.decode() for page in enemies} <= {finding.what for finding in proposal.findings}
    for page in enemies:
        assert not works(page, table)
    lines = [line for line in text.splitlines() if "#" in line]
    assert [line for line in lines if line.partition("#")[2] in proposal.after] == lines
