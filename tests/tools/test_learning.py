"""From what was seen to the table: where it belongs, what is wanted, what is left out, and how it is written."""

from __future__ import annotations

import textwrap

import pytest
import yaml

from corsproxy.config.load import load_config
from corsproxy.cors.pattern import parse_pattern
from corsproxy.errors import InvalidConfig
from corsproxy.http.needs import Needs
from corsproxy.tools.learning import evidence as evidence_module
from corsproxy.tools.learning.evidence import Evidence, Seen, Tally
from corsproxy.tools.learning.places import Place, Places, prefix_of
from corsproxy.tools.learning.proposal import Basis, propose
from corsproxy.tools.learning.suspects import suspects
from corsproxy.tools.resemblance import resembles
from corsproxy.tools.written_config import WrittenConfig

APP, SHOP, LOCAL = "https://app.example.com", "https://shop.test", "http://localhost:5173"
API = "http://127.0.0.1:9000"
NOON = 1_795_348_800.0  # 2026-11-22 12:00 UTC


def cors(method=b"GET", *, headers=(), credentials="", readable=(), mode=b"cors"):
    return Needs(mode, method, False, headers, credentials, readable)


def preflight(method, *headers):
    return Needs(b"cors", method, preflight=True, headers=headers)


def seen(origin=APP, target="/orders/7", needs=None, **told):
    needs = (needs or cors()) if origin else None
    usual = {"host": "api.test", "status": 200, "time": NOON, "client": "10.0.0.1", "source": "log"}
    return Seen(origin=origin, target=target, needs=needs, **{**usual, **told})


def learnt(*requests, text="", upstream=API, trust=()):
    """The proposal for these requests: of a new table, or of a change to one."""
    config = WrittenConfig.read(text, "config.yaml", {}) if text else None
    evidence = Evidence(Places(config.compiled.table if config else None))
    for request in requests:
        evidence.add(request)
    basis = Basis(config, "" if text else upstream, tuple(map(parse_pattern, trust)))
    return propose(evidence.kinds(), basis)


def policy_of(proposal):
    """The one policy of a new table, as it is written."""
    (policy,) = yaml.safe_load(proposal.after)["policies"].values()
    return policy


def left_out(proposal):
    return {finding.what: finding.reason for finding in proposal.findings}


# Where it belongs


@pytest.mark.parametrize(
    ("path", "prefix"),
    [
        ("/orders/7/items", "/orders"),
        ("/orders", "/orders"),
        ("/api/v1/orders/7", "/api/v1/orders"),
        ("/v2.1/orders", "/v2.1/orders"),
        ("/api/7", "/api"),
        ("/api", "/api"),
        ("/", "/"),
        ("/7", "/"),
        ("/550e8400-e29b-41d4-a716-446655440000/x", "/"),
        ("/da39a3ee5e6b4b0d3255bfef95601890afd80709", "/"),
        ("//orders", "/"),
        ("/report.pdf", "/report.pdf"),
        ("/a;b/c", "/"),  # read in two ways by servers
        ("/api/a;b/c", "/api"),
        ("/star*", "/"),  # which would read as a pattern
    ],
)
def test_the_prefix_is_the_shortest_that_means_something(path, prefix):
    assert prefix_of(path) == prefix


TWO_RULES = f"""\
policies:
  web: {{allow_origins: ["{APP}"]}}
rules:
  - {{path: /shop/orders, upstream: "{API}", policy: web}}
  - {{path: /, host: "*.example.com", upstream: "{API}", policy: none}}
"""


@pytest.mark.parametrize(
    ("host", "target", "place"),
    [
        ("api.test", "/shop/orders/7?x=1", Place("", "/shop/orders")),
        ("api.test", "/shop/x", Place("", "/shop")),
        ("API.example.com:8080", "/any/thing", Place("*.example.com", "/")),
        ("ignored.test", "http://api.example.com/x", Place("*.example.com", "/")),  # absolute-form overrules Host
        ("api.test", "/a/../b", None),
        ("no host", "/a", None),
        ("api.test", "/ä", None),
    ],
)
def test_rules_that_there_are_come_first(host, target, place):
    assert Places(load_config(TWO_RULES, "c", {}).table).find(host, target) == place


# What is kept


def test_alike_requests_are_one_kind_with_a_tally():
    evidence = Evidence(Places())
    for hour in range(3):
        evidence.add(seen(target=f"/orders/{hour}", time=NOON + 3600 * hour, client=f"10.0.0.{hour % 2}"))
    ((kind, tally),) = evidence.kinds()
    assert (kind.place, kind.origin, kind.method) == (Place("", "/orders"), APP, "GET")
    assert str(tally) == "3 times by 2 clients, 2026-11-22 12:00 to 14:00 UTC, log"


@pytest.mark.parametrize(
    ("tally", "words"),
    [
        (Tally(1, 0, 0, set(), {"a.har"}), "once, a.har"),
        (Tally(1, NOON, NOON, {"a"}, {"log"}), "once by 1 client, 2026-11-22 12:00 UTC, log"),
        (Tally(2, NOON, NOON + 86400, set(), {"b", "a"}), "2 times, 2026-11-22 12:00 to 2026-11-23 12:00 UTC, a b"),
        (Tally(9, 0, 0, set(map(str, range(100))), {"a"}), "9 times by 100 or more clients, a"),
    ],
)
def test_a_tally_in_words(tally, words):
    assert str(tally) == words


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(evidence_module, "_MOST_CLIENTS", 5)
    evidence = Evidence(Places(), most=10)
    for number in range(100):
        evidence.add(seen())  # what comes again is not forgotten
        evidence.add(seen(f"https://{number}.test"))
        evidence.add(seen(client=str(number)))
    kinds = evidence.kinds()
    assert len(kinds) == 10
    assert next(tally for kind, tally in kinds if kind.origin == APP).count == 200
    assert all(len(tally.clients) <= 5 for _, tally in kinds)
    assert evidence.notes == [
        "91 kinds of request were forgotten, since there were more than 10; learn from less at a time"
    ]


@pytest.mark.parametrize(
    "request_",
    [
        seen(target="/a/../b"),
        seen("https://" + "a" * 300),
        seen(needs=cors(b"A" * 300)),
        seen(needs=cors(headers=(b"x",) * 200)),
        seen(needs=cors(mode=b"navigate"), status=404),
        seen("", status=0),
    ],
)
def test_what_is_no_page_s_or_too_much_is_passed_over(request_):
    evidence = Evidence(Places())
    evidence.add(request_)
    assert evidence.kinds() == []
    assert evidence.notes == ["1 requests need no grant, or are none that a proxy forwards"]


# What is wanted

WANTED = [
    # a plain read: the origin and nothing else
    ([seen()], {"allow_origins": [APP]}),
    # the preflight and its request: what was asked for, once
    (
        [seen(needs=preflight(b"PUT", b"x-key")), seen(needs=cors(b"PUT", headers=(b"x-key",)))],
        {"allow_origins": [APP], "allow_methods": ["PUT"], "allow_headers": ["x-key"]},
    ),
    # a preflight is enough, since what it asks for may have been denied
    ([seen(needs=preflight(b"PUT"), status=403)], {"allow_origins": [APP], "allow_methods": ["PUT"]}),
    # of a preflight that the browser had cached the request has to tell
    ([seen(needs=cors(b"PUT", headers=(b"x-key",)))],
     {"allow_origins": [APP], "allow_methods": ["PUT"], "allow_headers": ["x-key"]}),
    # where a preflight tells, what else the request carries was added on the way
    (
        [seen(needs=preflight(b"PUT", b"x-key")), seen(needs=cors(b"PUT", headers=(b"x-hop", b"x-key")))],
        {"allow_origins": [APP], "allow_methods": ["PUT"], "allow_headers": ["x-key"]},
    ),
    # methods that browsers grant unasked (https://fetch.spec.whatwg.org/#cors-safelisted-method)
    ([seen(needs=cors(b"POST")), seen(needs=cors(b"HEAD"))], {"allow_origins": [APP]}),
    # cookies
    ([seen(needs=cors(credentials="cookies"))], {"allow_origins": [APP], "allow_credentials": True}),
    # a log-in of the browser's; of the script's, where a preflight asked for the header
    ([seen(needs=cors(credentials="login"))], {"allow_origins": [APP], "allow_credentials": True}),
    (
        [seen(needs=preflight(b"GET", b"authorization")), seen(needs=cors(credentials="login"))],
        {"allow_origins": [APP], "allow_headers": ["authorization"]},
    ),
    # a cookie that is set and never comes back was not kept; one that comes back was, wherever it does
    ([seen(needs=cors(b"POST", credentials="set-cookie"))], {"allow_origins": [APP]}),
    (
        [seen(needs=cors(b"POST", credentials="set-cookie")), seen(needs=cors(credentials="cookies"))],
        {"allow_origins": [APP], "allow_credentials": True},
    ),
    # headers to read; ETag where versions are compared
    ([seen(needs=cors(readable=(b"etag", b"x-total")))], {"allow_origins": [APP], "expose_headers": ["x-total"]}),
    (
        [seen(needs=cors(readable=(b"etag",))), seen(needs=preflight(b"PUT", b"if-match"))],
        {
            "allow_origins": [APP],
            "allow_methods": ["PUT"],
            "allow_headers": ["if-match"],
            "expose_headers": ["etag"],
        },
    ),
    # a WebSocket needs its origin
    ([seen(needs=cors(b"GET", mode=b"websocket", headers=(b"x-key",)))], {"allow_origins": [APP]}),
    # http on this machine may have credentials
    ([seen(LOCAL, needs=cors(credentials="cookies"))], {"allow_origins": [LOCAL], "allow_credentials": True}),
    # a path of which nothing is read needs a way, and no policy
    ([seen(), seen("", "/orders/9", needs=cors(mode=b"navigate"))], {"allow_origins": [APP]}),
]  # fmt: skip


@pytest.mark.parametrize(("requests", "policy"), WANTED)
def test_no_more_than_was_asked_for(requests, policy):
    proposal = learnt(*requests)
    assert policy_of(proposal) == policy
    assert proposal.findings == ()


def test_a_cookie_that_comes_back_elsewhere_was_kept():
    proposal = learnt(
        seen(target="/login", needs=cors(b"POST", credentials="set-cookie")),
        seen(target="/orders", needs=cors(credentials="cookies")),
        seen(SHOP, target="/other", needs=cors(credentials="set-cookie")),
    )
    rules = {rule["path"]: rule["policy"] for rule in yaml.safe_load(proposal.after)["rules"]}
    policies = yaml.safe_load(proposal.after)["policies"]
    assert policies[rules["/login"]] == {"allow_origins": [APP], "allow_credentials": True}
    assert rules["/login"] == rules["/orders"]  # who needs the same has the same policy
    assert policies[rules["/other"]] == {"allow_origins": [SHOP]}


def test_a_new_table_has_a_rule_for_each_prefix():
    proposal = learnt(
        seen(target="/api/v1/orders/7"),
        seen(SHOP, target="/none"),
        seen("", "/images/x.png"),
        seen("", "/wp-admin", status=404),
    )
    table = yaml.safe_load(proposal.after)
    assert table["rules"] == [
        {"path": "/api/v1/orders", "upstream": API, "policy": "orders"},
        {"path": "/none", "upstream": API, "policy": "none-2"},  # "none" means no policy
        {"path": "/images", "upstream": API, "policy": "none"},
    ]
    assert proposal.diff.startswith("--- /dev/null\n+++ config.yaml\n@@ ")


# What is left out


@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        ("null", "every sandboxed frame"),
        ("https://app.example.com.evil.test", f"resembles {APP}"),
        ("https://evilexample.com", f"resembles {APP}"),
        ("https://appxexample.com", f"resembles {APP}"),
        ("https://app-example.com", f"resembles {APP}"),
        ("https://app.exarnple.com", ""),  # two letters: a reader's eyes are not modelled
        ("http://app.example.com", "without encryption"),
        ("http://192.0.2.7:3000", "an address"),
        ("https://[2001:db8::7]", "an address"),
        ("HTTPS://APP.EXAMPLE.COM", "no browser sends"),
        ("https://app.example.com/", "no browser sends"),
        ("", ""),
        ("https://api.example.com", ""),  # of the same owner
        ("https://app.example.com:8443", ""),
        ("http://127.0.0.1:5173", ""),
        ("http://[::1]:5173", ""),
        ("https://partner.test", ""),
    ],
)
def test_what_looks_like_an_attack_is_named_and_not_learnt(origin, reason):
    requests = [seen() for _ in range(3)] + [seen(origin, needs=cors(b"PUT", headers=(b"x-evil",)))]
    proposal = learnt(*requests)
    if not reason:
        assert left_out(proposal) == {}
        return
    assert reason in left_out(proposal)[origin]
    assert policy_of(proposal) == {"allow_origins": [APP]}


@pytest.mark.parametrize(
    ("origins", "expected"),
    [
        (("https://example.com", "https://exampel.com"), ["https://exampel.com", "https://example.com"]),
        (("https://example.com", "https://evilexample.com"), ["https://evilexample.com"]),
        (("https://appxexample.com", "https://app.example.com"), ["https://appxexample.com"]),
    ],
)
def test_of_two_that_look_alike_the_one_that_is_made_is_suspected_or_both(origins, expected):
    assert [one.origin for one in suspects(origins, (), ())] == expected
    trusted = [one.origin for one in suspects(origins, (), [parse_pattern(expected[-1])])]
    assert trusted == [one.origin for one in suspects(origins, expected[-1:], ())] == expected[:-1]


@pytest.mark.parametrize("origin", ["null", "http://192.0.2.7", "https://app.example.com.evil.test"])
def test_whoever_is_trusted_by_name_is_learnt(origin):
    policy = policy_of(learnt(seen(), seen(origin), trust=[origin]))
    assert policy["allow_origins"] == sorted([APP, origin])
    assert policy.get("dangerously_allow_null", False) is (origin == "null")


def test_a_pattern_is_written_only_where_it_was_named():
    one, two = "https://pr-1.preview.example.com", "https://pr-2.preview.example.com"
    assert policy_of(learnt(seen(one), seen(two)))["allow_origins"] == [one, two]
    pattern = "https://*.preview.example.com"
    assert policy_of(learnt(seen(one), seen(two), seen(), trust=[pattern]))["allow_origins"] == [pattern, APP]
    assert policy_of(learnt(seen(one), seen(), trust=["*"]))["allow_origins"] == ["*"]
    with_cookies = learnt(seen(needs=cors(credentials="cookies")), trust=["*"])
    assert policy_of(with_cookies)["allow_origins"] == [APP]  # no policy gives credentials to everybody


def test_a_pattern_that_may_not_be_is_refused():
    with pytest.raises(InvalidConfig):
        learnt(seen("https://a.github.io"), trust=["https://*.github.io"])


@pytest.mark.parametrize(
    ("origin", "needs"), [("http://plain.test", cors(credentials="cookies")), ("http://plain.test", cors())]
)
def test_http_gets_no_credentials_unasked(origin, needs):
    with_cookies = seen(needs=cors(credentials="cookies"))
    proposal = learnt(with_cookies, seen(origin, needs=needs))
    assert left_out(proposal) == {origin: "http is not encrypted, and credentials go along"}
    assert policy_of(proposal) == {"allow_origins": [APP], "allow_credentials": True}
    trusted = policy_of(learnt(with_cookies, seen(origin, needs=needs), trust=[origin]))
    assert trusted == {
        "allow_origins": [origin, APP],
        "allow_credentials": True,
        "dangerously_allow_insecure_origins": True,
    }


def test_http_without_credentials_is_an_origin_like_any_other():
    assert policy_of(learnt(seen("http://plain.test"))) == {"allow_origins": ["http://plain.test"]}


def test_null_that_is_trusted_gets_no_credentials():
    proposal = learnt(seen("null"), seen(needs=cors(credentials="cookies")), trust=["null"])
    assert left_out(proposal) == {"null": "null gets no credentials"}


@pytest.mark.parametrize(
    ("needs", "what", "reason"),
    [
        (preflight(b"patch"), "method patch", "never matches"),
        (preflight(b"*"), "method *", "no name"),
        (preflight(b"CONNECT"), "method CONNECT", "never send"),
        (preflight(b"PUT", b"cookie"), "header cookie", "set by the browser alone"),
        (preflight(b"PUT", b"*"), "header *", "no name"),
        (cors(b"A B"), "method A B", "no token"),
    ],
)
def test_what_no_browser_asks_for_is_left_out(needs, what, reason):
    proposal = learnt(seen(needs=needs))
    assert reason in left_out(proposal)[what]
    assert not policy_of(proposal).keys() & {"allow_headers"}


# Resemblance


@pytest.mark.parametrize(
    ("host", "other", "expected"),
    [
        ("evilapp.example.com", "app.example.com", True),
        ("example.com.evil.test", "app.example.com", True),
        ("login-example.com", "example.com", True),
        ("my.example.com.evil.test", "example.com", True),
        ("exmaple.com", "example.com", True),
        ("examplee.com", "example.com", True),
        ("exampe.com", "example.com", True),
        ("localhost.evil.test", "localhost", True),
        ("127.0.0.1.evil.test", "127.0.0.1", True),
        ("example.com", "app.example.com", False),  # whoever has the domain has its names
        ("api.example.com", "app.example.com", False),
        ("netflix.com", "x.com", False),  # ends so by chance
        ("chat.com", "t.co", False),
        ("app.example.com", "app", False),  # a name of a container
        ("one.github.io", "two.github.io", False),
        ("example.com", "example.com", False),
        ("other.test", "example.com", False),
    ],
)
def test_what_resembles(host, other, expected):
    assert resembles(host, other) is expected


# Written into a file

FILE = f"""\
# our proxy
listen: 127.0.0.1:8080   # behind nginx
policies:
    web-app:
        allow_origins:
        - {APP}          # production
        - http://localhost:5173

        # reviewed in May
        allow_methods: [GET, POST]   # as the team agreed

    # the world
    everybody: {{allow_origins: "*"}}

# the table
rules:
- path: /orders
  upstream: {API}
  policy: web-app
- path: /items      # since v2
  upstream: {API}
  policy: web-app
- {{path: /public, upstream: "{API}", policy: everybody}}
- path: /own
  upstream: {API}
  policy:
    allow_origins: [{SHOP}]
- path: /open
  upstream: {API}
  policy: none
- path: /theirs
  upstream: {API}
  policy: none
  upstream_cors: keep
# the end
"""


def test_what_is_allowed_already_changes_nothing():
    proposal = learnt(seen(), seen(LOCAL, "/items"), seen("https://any.test", "/public"), text=FILE)
    assert not proposal.changed
    assert (proposal.diff, proposal.opened, proposal.findings) == ("", (), ())


def test_what_nothing_needs_is_named_and_kept():
    text = f"""\
rules:
  - path: /orders
    upstream: {API}
    policy:
      allow_origins: [{APP}, {SHOP}, "http://localhost:*", "https://*.example.com"]
      allow_methods: [GET, PUT, DELETE]
      allow_headers: "*"
      expose_headers: [X-Total, Link]
      allow_credentials: true
"""
    used = seen(needs=cors(b"PUT", headers=(b"x-key",), readable=(b"x-total",)))
    proposal = learnt(used, seen(LOCAL), text=text)
    assert not proposal.changed
    assert [one[1:] for one in proposal.unused] == [
        ("allow_origins", SHOP, ()),
        ("allow_methods", "DELETE", ()),
        ("allow_headers", "*", ("x-key",)),
        ("expose_headers", "Link", ()),
        ("allow_credentials", "true", ()),
    ]
    assert learnt(seen(target="/elsewhere"), text=text).unused == ()  # of what was not seen nothing is said


def test_everything_else_of_the_file_stays():
    proposal = learnt(
        seen(SHOP, needs=preflight(b"PUT", b"x-key")),
        seen(SHOP, needs=cors(b"PUT", headers=(b"x-key",), credentials="cookies", readable=(b"x-total",))),
        seen(SHOP, "/public", needs=preflight(b"PUT", b"x-key")),
        seen(APP, "/own/7"),
        seen(APP, "/open/7"),
        text=FILE,
    )
    lines = proposal.diff.splitlines()
    assert [line for line in lines if line[:1] == "-"][1:] == [
        "-        allow_methods: [GET, POST]   # as the team agreed",
        '-    everybody: {allow_origins: "*"}',
        f"-    allow_origins: [{SHOP}]",
        "-  policy: none",
    ]
    when = "2026-11-22 12:00 UTC, log"
    assert [line for line in lines if line[:1] == "+"][1:] == [
        f"+        - {SHOP}  # seen 2 times by 1 client, {when}",
        "+        allow_methods: [GET, POST, PUT] # as the team agreed",
        "+        allow_headers:",
        f"+        - x-key  # seen once by 1 client, {when}",
        "+        expose_headers:",
        f"+        - x-total  # seen once by 1 client, {when}",
        f"+        allow_credentials: true  # seen once by 1 client, {when}",
        '+    everybody: {allow_origins: "*", allow_methods: [GET, HEAD, POST, PUT], allow_headers: [x-key]}',
        "+    open:",
        "+        allow_origins:",
        f"+        - {APP}  # seen once by 1 client, {when}",
        f"+    allow_origins: [{SHOP}, {APP}]  # seen {APP} once by 1 client, {when}",
        "+  policy: open",
    ]
    kept = [line for line in FILE.splitlines() if "#" in line and "team agreed" not in line]
    assert [line for line in proposal.after.splitlines() if line in kept] == kept


def test_a_comment_stays_before_what_it_is_about():
    exposing = learnt(seen(needs=cors(readable=(b"x-total",))), text=FILE)
    below = exposing.after.partition("expose_headers:\n")[2].splitlines()
    assert [line.partition("#")[0].strip() or line.strip() for line in below[:4]] == [
        "- x-total",
        "",
        "# the world",
        'everybody: {allow_origins: "*"}',
    ]


def test_what_opens_is_listed_for_every_rule_that_it_opens():
    proposal = learnt(seen(SHOP, needs=cors(b"PUT", credentials="cookies")), text=FILE)
    assert [(one.key, one.value, one.rules) for one in proposal.opened] == [
        ("allow_origins", SHOP, ("/items", "/orders")),
        ("allow_methods", "PUT", ("/items", "/orders")),
        ("allow_credentials", "true", ("/items", "/orders")),
    ]
    assert {str(one.seen) for one in proposal.opened} == {"once by 1 client, 2026-11-22 12:00 UTC, log"}


def test_a_second_run_changes_nothing():
    requests = [seen(SHOP, needs=cors(b"PUT", credentials="cookies")), seen(APP, "/open/7")]
    once = learnt(*requests, text=FILE)
    assert once.changed
    assert not learnt(*requests, text=once.after).changed


@pytest.mark.parametrize(
    ("request_", "what", "reason"),
    [
        (seen(target="/strange"), "requests for /strange", "no rule is for it"),
        (seen(target="/theirs"), "requests for /theirs", "upstream_cors: keep"),
        (seen(target="/public", needs=cors(credentials="cookies")), "credentials", f"instead: {APP}"),
    ],
)
def test_what_the_file_leaves_no_room_for_is_said(request_, what, reason):
    proposal = learnt(request_, text=FILE)
    assert not proposal.changed
    assert reason in left_out(proposal)[what]


ALIASED = f"""\
policies:
  p: &p
    allow_origins: ['{SHOP}']
  q: *p
rules:
  - {{path: /orders, upstream: '{API}', policy: p}}
  - {{path: /items, upstream: '{API}', policy: q}}
"""
ODD = f"""\
rules:
   -  path: /orders
      upstream: {API}
      policy:
              allow_origins:
                -     {SHOP}   # odd
"""
STYLES = [
    ALIASED,
    ODD,
    f"rules:\n  - path: /orders\n    upstream: {API}\n    policy:\n      allow_origins: {SHOP}\n",
    f"rules:\n- path: /orders\n  upstream: {API}\n  policy:\n    allow_origins:\n    - {SHOP}",
    f"rules: [{{path: /orders, upstream: '{API}', policy: none}}]\n",
    f"policies: {{}}\nrules: [{{path: /orders, upstream: '{API}', policy: none}}]\n",
    f"# c\r\nrules:\r\n  - path: /orders\r\n    upstream: {API}\r\n    policy: {{allow_origins: ['{SHOP}']}}\r\n",
]


@pytest.mark.parametrize("text", STYLES)
def test_every_style_of_yaml_can_be_added_to(text):
    requests = [seen(needs=cors(b"PUT", credentials="cookies")), seen(target="/items")]
    proposal = learnt(*requests[: 1 + text.count("/items")], text=text)
    policy = load_config(proposal.after, "c", {}).table.rules[0].policy
    assert policy.allows_origin(APP.encode())
    assert policy.allows_origin(SHOP.encode()) is (SHOP in text)
    assert policy.spec.allow_credentials
    assert ("\r\n" in proposal.after) == ("\r\n" in text)
    assert proposal.after.count("\r\n") in {0, proposal.after.count("\n")}
    kept = [line for line in text.splitlines() if line.lstrip().startswith(("#", "- path", "-  path"))]
    assert set(kept) <= set(proposal.after.splitlines())


def test_values_of_the_environment_stay_references():
    text = textwrap.dedent(f"""\
        rules:
          - path: /orders
            upstream: ${{API}}
            policy: {{allow_origins: ["{SHOP}", "${{SITE}}"]}}
        """)
    config = WrittenConfig.read(text, "config.yaml", {"API": API, "SITE": "https://site.test"})
    evidence = Evidence(Places(config.compiled.table))
    evidence.add(seen())
    evidence.add(seen("https://site.test"))
    proposal = propose(evidence.kinds(), Basis(config))
    assert f'["{SHOP}", "${{SITE}}", {APP}]' in proposal.after
    assert "${API}" in proposal.after
