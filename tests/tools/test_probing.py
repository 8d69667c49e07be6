"""What an API does about CORS, and what is found of it."""

from __future__ import annotations

import pytest

from corsproxy.config.load import load_config
from corsproxy.cors.fetch import get
from corsproxy.cors.origin import Origin, parse_origin, read_origin
from corsproxy.http.needs import OTHER, needs_of
from corsproxy.tools.probing.kinds import WORDS, Kind, Severity
from corsproxy.tools.probing.questions import Method, Target
from corsproxy.tools.probing.tricks import STRANGER, tricks
from tests.tools.probed import APP, URL, always, answer, letting_in, matching, probed, severities, silent

ACAO = "Access-Control-Allow-Origin"
ACAC = "Access-Control-Allow-Credentials: true"
NOTHING = {"no-cors": "note", "preflight-unanswered": "note"}


def anyone(origin: str) -> bool:
    return True


def app(origin: str) -> bool:
    return origin == APP


ANY = {"any-origin": "high", "preflight-any-origin": "high"}
PLAIN_ANY = {"any-origin": "note", "preflight-any-origin": "note"}

# What the API does, what is found, and where the mistake is known from (numbers: CVEs).
APIS = {
    "knows nothing of CORS": (silent, NOTHING),
    "lets one page in, rightly": (letting_in(app), {}),
    "reflects any origin (2018-20744, 2017-20146, 2024-25124)": (letting_in(anyone), ANY),
    "reflects any origin without credentials": (letting_in(anyone, credentials=False), PLAIN_ANY),
    "*": (always(f"{ACAO}: *", "Access-Control-Allow-Methods: PUT"), PLAIN_ANY),
    "* for who sends an Origin (starlette)": (
        lambda asked: answer(200, *([f"{ACAO}: *"] if get(asked.headers, b"origin") else [])),
        {"any-origin": "note", "missing-vary": "low"},
    ),
    "* with credentials": (
        always(f"{ACAO}: *", ACAC, "Access-Control-Allow-Methods: PUT"),
        {**PLAIN_ANY, "wildcard-credentials": "low"},
    ),
    "* for actual requests only": (
        lambda asked: answer(204) if asked.method == b"OPTIONS" else answer(200, f"{ACAO}: *"),
        {"any-origin": "note", "preflight-unanswered": "low"},
    ),
    "null": (letting_in(lambda origin: origin in {"null", APP}), {"null-origin": "high"}),
    "null without credentials": (letting_in(lambda origin: origin == "null", credentials=False), {
        "null-origin": "medium", "preflight-unanswered": "note",
    }),
    "an expression without an end (2026-37737)": (
        letting_in(matching(r"^https://app\.example\.com")),
        {"suffix": "high", "port": "medium"},
    ),
    "an expression without a start": (
        letting_in(matching(r"example\.com$")), {"prefix": "high", "sibling": "note", "http": "medium"}
    ),
    "an expression without a start or credentials": (
        letting_in(matching(r"example\.com$"), credentials=False),
        {"prefix": "medium", "sibling": "note", "http": "low"},
    ),
    "an unescaped dot": (letting_in(matching(r"^https://app.example\.com$")), {"dot": "high"}),
    "an underscore for the end": (
        letting_in(matching(r"^https://app\.example\.com(?![a-z0-9.:-])")), {"underscore": "high"}
    ),
    "any port": (letting_in(matching(r"^https://app\.example\.com(:[0-9]+)?$")), {"port": "medium"}),
    "http too": (letting_in(matching(r"^https?://app\.example\.com$")), {"http": "medium"}),
    "whatever its case": (letting_in(lambda origin: origin.lower() == APP), {"uppercase": "low"}),
    "every subdomain": (letting_in(matching(r"^https://([a-z-]+\.)?example\.com$")), {"sibling": "note"}),
    "left over from development": (
        letting_in(lambda origin: origin in {APP, "http://localhost:3000"}), {"localhost": "medium"}
    ),
    "localhost that only begins so (3757)": (
        letting_in(lambda origin: origin.startswith("http://localhost"), credentials=False),
        {"suffix": "medium", "localhost": "low"},
    ),
    "a constant page": (always(f"{ACAO}: {APP}"), {"not-asked": "note"}),
    "two lines": (always(f"{ACAO}: {APP}", f"{ACAO}: {APP}"), {
        "multiple-values": "low", "preflight-unanswered": "note", "not-asked": "note",
    }),
    "a list in a line": (always(f"{ACAO}: {APP}, https://b.example.com"), {
        "multiple-values": "low", "preflight-unanswered": "note", "not-asked": "note",
    }),
    "a slash at the end": (always(f"{ACAO}: {APP}/"), {
        "malformed-value": "low", "preflight-unanswered": "note", "not-asked": "note",
    }),
    "credentials, in another case": (letting_in(app, "Access-Control-Allow-Credentials: True", credentials=False), {
        "malformed-value": "low",
    }),
    "a list of methods that is none": (letting_in(app, "Access-Control-Expose-Headers: a b"), {
        "malformed-value": "low", "exposes": "note",
    }),
    "no Vary": (letting_in(app, vary=False), {"missing-vary": "medium"}),
    "no Vary, but nothing is stored": (letting_in(app, "Cache-Control: no-store", vary=False), {"missing-vary": "low"}),
    "Vary only for those who are let in (starlette)": (
        letting_in(app, "Vary: Accept-Encoding, Origin", vary=False), {"missing-vary": "low"}
    ),
    "preflights want a log-in": (letting_in(app, preflight=401), {"preflight-auth": "low"}),
    "preflights are forbidden": (letting_in(app, preflight=403), {"preflight-refused": "low"}),
    "preflights are not known": (letting_in(app, preflight=404), {"preflight-unanswered": "low"}),
    "preflights want a log-in, and nobody is let in": (
        always("WWW-Authenticate: Basic", preflight=401), {"no-cors": "note", "preflight-auth": "note"}
    ),
    "preflights are redirected": (letting_in(app, "Location: /login", preflight=302), {"preflight-redirect": "low"}),
    "private networks (2024-6221)": (
        letting_in(anyone, "Access-Control-Allow-Private-Network: true", credentials=False),
        {**PLAIN_ANY, "private-network": "low"},
    ),
    "any header": (letting_in(app, "Access-Control-Allow-Headers: authorization,x-corsproxy-probe"), {
        "any-header": "note",
    }),
    "says more": (
        letting_in(app, "Access-Control-Expose-Headers: X-Total", "Access-Control-Max-Age: 86400",
                   "Timing-Allow-Origin: *", "Cross-Origin-Resource-Policy: same-site"),
        {"exposes": "note", "max-age": "note", "timing": "note", "resource-policy": "note"},
    ),
    "redirects": (always("Location: https://elsewhere.example/", actual=301), {
        "no-cors": "note", "preflight-unanswered": "note", "redirect": "note",
    }),
    "fails": (always(actual=500), {"no-cors": "note", "preflight-unanswered": "note", "status": "note"}),
}  # fmt: skip


@pytest.mark.parametrize(("api", "found"), APIS.values(), ids=APIS)
def test_what_is_found(api, found):
    assert severities(probed(api)) == found


@pytest.mark.parametrize("api", [api for api, _ in APIS.values()], ids=APIS)
def test_only_harmless_requests_are_sent_and_few_of_them(api):
    asked = []

    def listening(wire):
        asked.append(wire)
        return api(wire)

    probed(listening, Target(URL, ("https://a.example.com", "https://b.example.com")))
    assert {wire.method for wire in asked} <= {b"GET", b"OPTIONS"}
    assert {wire.url for wire in asked} == {URL}
    assert len(asked) <= 30 + 2
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("api", [api for api, _ in APIS.values()], ids=APIS)
def test_the_rule_loads_and_lets_in_no_page_that_is_not_meant(api):
    report = probed(api)
    (rule,) = load_config(report.rule, "config.yaml", {}).table.rules
    assert rule.upstream.endpoints[0].host == "api.example.com"
    if rule.policy.spec.allow_origins != ("*",):
        for origin in (STRANGER, "null", f"{APP}.evil.example", "https://evilexample.com", "http://app.example.com"):
            assert not rule.policy.allows_origin(origin.encode())


RULES = {
    "what the API singles out": (letting_in(app, "Access-Control-Max-Age: 600"), (), {
        "allow_origins": (APP,), "allow_credentials": True, "allow_methods": ("GET", "PUT"),
        "allow_headers": ("content-type",), "max_age": 600,
    }),
    "not who is let in because all are": (letting_in(anyone), (), {"allow_origins": (APP,)}),  # the page is made up
    "who is meant": (letting_in(anyone), ("https://shop.example",), {"allow_origins": ("https://shop.example",)}),
    "any, where it is so without cookies": (always(f"{ACAO}: *"), (), {
        "allow_origins": ("*",), "allow_credentials": False,
    }),
    "no http with cookies": (letting_in(matching("^http:")), ("http://a.example", "https://b.example"), {
        "allow_origins": ("https://b.example",), "allow_credentials": True,
    }),
    "http without": (letting_in(matching("^http:"), credentials=False), ("http://a.example",), {
        "allow_origins": ("http://a.example",),
    }),
    "no star, and nothing that was only repeated": (
        letting_in(app, "Access-Control-Allow-Methods: *", "Access-Control-Allow-Headers: x-corsproxy-probe"), (), {
            "allow_methods": ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
            "allow_headers": ("Authorization", "Content-Type"),
        },
    ),
    "what is exposed": (letting_in(app, "Access-Control-Expose-Headers: X-A, Set-Cookie, x-a"), (), {
        "expose_headers": ("x-a",),
    }),
}  # fmt: skip


@pytest.mark.parametrize(("api", "origins", "keys"), RULES.values(), ids=RULES)
def test_the_rule_is_no_wider_than_the_api_is_today(api, origins, keys):
    report = probed(api, Target(URL, origins))
    spec = load_config(report.rule, "config.yaml", {}).table.rules[0].policy.spec
    assert {key: getattr(spec, key) for key in keys} == keys


# Questions


@pytest.mark.parametrize(
    ("base", "kinds"),
    [
        ("https://app.example.com", "suffix prefix underscore dot sibling http port uppercase"),
        ("https://example.com", "suffix prefix underscore http port uppercase"),
        ("http://example.com:8080", "suffix prefix underscore port uppercase"),
        ("http://localhost:3000", "suffix prefix"),
        ("http://10.0.0.7", "suffix"),
        ("http://[::1]:3000", ""),
    ],
)
def test_tricks_are_made_from_what_there_is(base, kinds):
    tried = tricks(parse_origin(base))
    assert [trick.kind.value for trick in tried] == kinds.split()
    assert base not in {trick.origin for trick in tried}
    # What browsers send, so that whoever is let in can be a page; the one exception says so.
    assert [trick for trick in tried if read_origin(trick.origin) is None and trick.kind is not Kind.UPPERCASE] == []


def test_what_could_be_somebodys_is_never_made_up():
    """A stranger's name is below a reserved domain, or begins with one that nobody has registered."""
    for trick in tricks(Origin("https", "app.example.com", None)):
        host = trick.origin.partition("://")[2]
        own = host.lower().endswith((".example", ".example.com", ".example.com:8444")) or host == "app.example.com"
        assert own or host in {
            "corsproxy-probeexample.com",
            "appxexample.com",
            "app.example.com:8444",
            "APP.EXAMPLE.COM",
        }


@pytest.mark.parametrize(
    ("url", "origins"),
    [
        (URL, "https://api.example.com https://example.com https://app.example.com http://localhost:3000"),
        (
            "https://api.example.co.uk:8443/",
            "https://api.example.co.uk:8443 https://example.co.uk https://app.example.co.uk http://localhost:3000",
        ),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000 http://localhost:3000"),
        ("http://10.0.0.7/", "http://10.0.0.7 http://localhost:3000"),
        ("http://orders/", "http://orders http://localhost:3000"),
        ("http://my.localhost/", "http://my.localhost http://localhost:3000"),
        ("http://a..b/", "http://localhost:3000"),  # no page can have this origin
    ],
)
def test_pages_that_may_be_meant(url, origins):
    assert Target(url).candidates == origins.split()


def test_what_is_sent_besides_goes_with_requests_and_never_with_preflights():
    """A browser sends no log-in with a preflight (https://fetch.spec.whatwg.org/#cors-preflight-fetch-0)."""
    seen = []

    def api(asked):
        seen.append((asked.method, get(asked.headers, b"authorization")))
        return answer(200)

    report = probed(api, Target(URL, headers=((b"Authorization", b"Bearer secret"),), method=Method.HEAD))
    assert set(seen) == {(b"HEAD", b"Bearer secret"), (b"OPTIONS", None)}
    assert "secret" not in str([finding.evidence[0].telling for finding in report.findings])


def test_a_page_that_is_meant_is_what_tricks_are_made_from():
    """Who does not know it is told nothing: the API lets in no page that could be guessed."""
    api = letting_in(matching(r"^https://shop\.other\.example"))
    assert severities(probed(api)) == NOTHING
    report = probed(api, Target(URL, ("https://shop.other.example",)))
    assert severities(report) == {"suffix": "high", "port": "medium"}


def test_a_page_that_is_meant_and_not_let_in():
    """Preflights are tried for who is let in, and are no fault of the API's for who is not."""
    report = probed(letting_in(app), Target(URL, ("https://shop.other.example", APP)))
    assert severities(report) == {"not-let-in": "low"}
    (finding,) = report.findings
    assert finding.what == "it does not let https://shop.other.example in"


def test_a_page_that_the_api_names_itself_is_tried():
    """Many APIs answer a stranger with the first page of their list."""

    def api(asked):
        origin = (get(asked.headers, b"origin") or b"").decode()
        named = origin if origin.startswith("https://shop.other.example") else "https://shop.other.example"
        return answer(200, f"{ACAO}: {named}", "Vary: Origin")

    assert severities(probed(api)) == {"suffix": "medium", "port": "low", "not-asked": "note"}


# Words


def test_every_finding_has_its_words():
    assert set(WORDS) == set(Kind)
    for words in WORDS.values():
        assert words.severe >= words.mild
        for text in (words.what, words.risk, words.cure):
            assert text
            assert not text.endswith(".")


def test_every_finding_is_found_somewhere():
    found = {name for _, findings in APIS.values() for name in findings}
    assert {kind.value for kind in Kind} - {"not-let-in"} == found  # which needs a page that is named


@pytest.mark.parametrize(
    ("findings", "at_risk"), [({}, False), ({"high"}, True), ({"medium"}, True), ({"low", "note"}, False)]
)
def test_at_risk_from_medium_on(findings, at_risk):
    report = next(
        report
        for report in (probed(api) for api, _ in APIS.values())
        if set(severities(report).values()) == set(findings)
    )
    assert report.at_risk is at_risk
    assert Severity.MEDIUM > Severity.LOW > Severity.NOTE


def test_nobody_learns_from_a_probe():
    modes = []

    def api(asked):
        modes.append(needs_of(asked.method, [(name.lower(), value) for name, value in asked.headers], (), 200).mode)
        return letting_in(anyone)(asked)

    probed(api)
    assert set(modes) == {OTHER}
