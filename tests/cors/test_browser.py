"""The walk of a fetch, against what the standard says and what Chromium 156 did on the same answers."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import corsproxy.cors.browser as subject
from corsproxy.cors.browser import (
    ALLOWED,
    Blocked,
    Credentials,
    Mode,
    Request,
    Step,
    Tainting,
    Upload,
    Verdict,
    WireRequest,
    WireResponse,
    run,
)

APP = b"https://app.example"
HOME = "https://app.example/"
API = "https://api.example/"
THIRD = "https://third.example/"
SHARED = (b"Access-Control-Allow-Origin", b"*")


class Server:
    """Answers by URL, and remembers what it was asked.  A URL without an answer gets an empty 200."""

    def __init__(self, **answers):
        self.answers = {name.removesuffix("_"): answer for name, answer in answers.items()}
        self.asked: list[WireRequest] = []

    def __call__(self, request):
        self.asked.append(request)
        kind = "preflight" if request.method == b"OPTIONS" else request.url
        return self.answers.get(kind, WireResponse(200))

    @property
    def origins(self):
        return [dict(request.headers).get(b"Origin") for request in self.asked]

    @property
    def methods(self):
        return [request.method for request in self.asked]


def page(url=API, **changes):
    return Request(url=url, origin=changes.pop("origin", APP), **changes)


def shared(status=200, *headers):
    return WireResponse(status, (SHARED, *headers))


def redirect(to, status=302):
    return shared(status, (b"Location", to if isinstance(to, bytes) else to.encode()))


def test_a_simple_get_is_sent_once_with_its_origin_and_read():
    server = Server(**{API: shared(200, (b"Content-Type", b"text/plain"), (b"X-A", b"1"))})
    fetched = run(page(), server)
    assert server.asked == [WireRequest(b"GET", API, ((b"Origin", APP),), credentials=False)]
    assert fetched == subject.Fetched(
        ALLOWED, Tainting.CORS, WireResponse(200, ((b"Content-Type", b"text/plain"),)), timing=False
    )


def test_an_answer_without_cors_is_received_and_kept_from_the_page():
    server = Server()
    fetched = run(page(), server)
    assert fetched.verdict == Verdict(Blocked.MISSING_ALLOW_ORIGIN, b"", Step.ACTUAL, API)
    assert fetched.response is None
    assert len(server.asked) == 1


def test_an_error_status_that_is_shared_is_read():
    assert run(page(), Server(**{API: shared(500)})).response == WireResponse(500)


def test_the_own_origin_needs_no_permission():
    server = Server(**{HOME: WireResponse(200, ((b"X-A", b"1"), (b"Set-Cookie", b"a=b")))})
    fetched = run(page(HOME, method=b"put", headers=((b"X-A", b"1"),)), server)
    assert (fetched.verdict, fetched.tainting, fetched.timing) == (ALLOWED, Tainting.BASIC, True)
    assert fetched.response == WireResponse(200, ((b"X-A", b"1"),))
    assert server.asked == [WireRequest(b"PUT", HOME, ((b"X-A", b"1"), (b"Origin", APP)), credentials=True)]


def test_the_own_origin_gets_no_origin_header_with_get():
    server = Server()
    run(page(HOME), server)
    assert server.origins == [None]


def test_a_preflight_precedes_the_request_and_carries_no_credentials():
    allowed = shared(204, (b"Access-Control-Allow-Methods", b"PUT"))
    own = WireResponse(200, ((b"Access-Control-Allow-Origin", APP), (b"Access-Control-Allow-Credentials", b"true")))
    server = Server(preflight=WireResponse(204, (*own.headers, *allowed.headers[1:])), **{API: own})
    fetched = run(page(method=b"put", credentials=Credentials.INCLUDE), server)
    assert fetched.verdict.allowed
    assert [(request.method, request.credentials) for request in server.asked] == [(b"OPTIONS", False), (b"PUT", True)]


def test_a_preflight_that_fails_keeps_the_request_from_being_sent():
    server = Server(preflight=shared(204))
    fetched = run(page(method=b"PUT"), server)
    assert fetched.verdict == Verdict(Blocked.METHOD, b"PUT", Step.PREFLIGHT, API)
    assert server.methods == [b"OPTIONS"]


def test_forbidden_headers_are_neither_asked_for_nor_sent():
    server = Server(**{API: shared()})
    assert run(page(headers=((b"Cookie", b"a=b"), (b"Origin", b"https://evil.example"))), server).verdict.allowed
    assert server.asked == [WireRequest(b"GET", API, ((b"Origin", APP),))]


def test_no_cors_is_sent_but_tells_the_page_nothing():
    server = Server(**{API: shared(200, (b"X-A", b"1"))})
    fetched = run(page(mode=Mode.NO_CORS), server)
    assert (fetched.verdict, fetched.tainting) == (ALLOWED, Tainting.OPAQUE)
    assert fetched.response == WireResponse(0)
    assert server.origins == [None]


def test_no_cors_post_says_its_origin_except_to_a_less_secure_server():
    """https://fetch.spec.whatwg.org/#append-a-request-origin-header."""
    server = Server()
    run(page(mode=Mode.NO_CORS, method=b"POST"), server)
    run(page("http://api.example/", mode=Mode.NO_CORS, method=b"POST"), server)
    assert server.origins == [APP, b"null"]


def test_same_origin_mode_does_not_leave_home():
    server = Server()
    assert run(page(mode=Mode.SAME_ORIGIN), server).verdict == Verdict(Blocked.REQUEST_MODE, url=API)
    assert server.asked == []
    assert run(page(HOME, mode=Mode.SAME_ORIGIN), server).verdict.allowed


def test_navigation_is_not_cors_and_its_timing_is_nobodys():
    fetched = run(page(mode=Mode.NAVIGATE), Server())
    assert (fetched.verdict, fetched.tainting, fetched.timing) == (ALLOWED, Tainting.BASIC, False)


def test_other_schemes_are_not_fetched():
    fetched = run(page("ftp://api.example/"), Server())
    assert fetched.verdict == Verdict(Blocked.SCHEME, b"ftp", url="ftp://api.example/")


def test_an_opaque_origin_is_never_at_home():
    server = Server(**{HOME: shared()})
    assert run(page(HOME, origin=b"null"), server).tainting is Tainting.CORS
    assert server.origins == [b"null"]


def test_what_is_no_url_is_refused():
    with pytest.raises(ValueError, match="Port"):
        run(page("http://api.example:99999/"), Server())


@pytest.mark.parametrize(
    ("start", "target", "expected"),
    [
        # web-platform-tests fetch/api/cors/cors-redirect.any.js
        (API, API + "x", APP),
        (API, THIRD, b"null"),
        (HOME, API, APP),
        (API, HOME, b"null"),
        (HOME, HOME + "x", None),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_by_a_stranger_to_somebody_else_taints_the_origin(start, target, expected, status):
    server = Server(**{start: redirect(target, status), target: shared()})
    assert run(page(start), server).verdict.allowed
    assert server.origins[-1] == expected


def test_a_tainted_origin_stays_tainted_at_home():
    server = Server(**{API: redirect(HOME)})
    fetched = run(page(), server)
    assert fetched.verdict == Verdict(Blocked.MISSING_ALLOW_ORIGIN, url=HOME)


def test_a_redirect_has_to_be_shared_itself():
    server = Server(**{API: WireResponse(302, ((b"Location", THIRD.encode()),)), THIRD: shared()})
    assert run(page(), server).verdict == Verdict(Blocked.MISSING_ALLOW_ORIGIN, url=API)


def test_a_redirected_request_is_preflighted_again():
    allowed = shared(204, (b"Access-Control-Allow-Headers", b"x-a"))
    server = Server(preflight=allowed, **{API: redirect("/x"), API + "x": shared()})
    assert run(page(headers=((b"X-A", b"1"),)), server).verdict.allowed
    assert [(r.method, r.url) for r in server.asked] == [
        (b"OPTIONS", API),
        (b"GET", API),
        (b"OPTIONS", API + "x"),
        (b"GET", API + "x"),
    ]


def test_a_redirect_without_a_location_is_an_answer():
    assert run(page(), Server(**{API: shared(302)})).response == WireResponse(302)


@pytest.mark.parametrize(
    ("location", "reason", "url"),
    [
        (b"http://[x", Blocked.REDIRECT_LOCATION, API),
        (b"http://x:99999/", Blocked.REDIRECT_LOCATION, API),
        (b"data:text/plain,x", Blocked.REDIRECT_SCHEME, "data:text/plain,x"),
        (b"ftp://x/", Blocked.REDIRECT_SCHEME, "ftp://x/"),
        # web-platform-tests fetch/api/cors/cors-redirect-credentials.any.js
        (b"https://user:password@api.example/", Blocked.REDIRECT_CREDENTIALS, API),
        (b"https://user:@third.example/", Blocked.REDIRECT_CREDENTIALS, API),
        (b"https://:password@app.example/", Blocked.REDIRECT_CREDENTIALS, API),
    ],
)
def test_redirects_that_are_not_followed(location, reason, url):
    verdict = run(page(), Server(**{API: redirect(location)})).verdict
    assert (verdict.blocked, verdict.url, verdict.step) == (reason, url, Step.ACTUAL)


@pytest.mark.parametrize(
    ("mode", "target", "expected"),
    [
        ("cors", "https://user@api.example/", Blocked.REDIRECT_CREDENTIALS),
        ("cors", "https://user@app.example/x", None),
        ("no-cors", "https://user@api.example/", None),
    ],
)
def test_a_user_name_in_a_location_may_stay_at_home(mode, target, expected):
    server = Server(**{HOME: redirect(target)})
    assert run(page(HOME, mode=Mode(mode)), server).verdict.blocked is expected


def test_two_locations_are_none():
    response = shared(302, (b"Location", b"/a"), (b"Location", b"/b"))
    verdict = run(page(), Server(**{API: response})).verdict
    assert verdict == Verdict(Blocked.REDIRECT_LOCATIONS, b"/a, /b", url=API)


def test_twenty_redirects_are_followed_and_no_more():
    """Chromium 156 sends 21 requests."""
    server = Server(**{API: redirect(API)})
    assert run(page(), server).verdict == Verdict(Blocked.TOO_MANY_REDIRECTS, API.encode(), url=API)
    assert len(server.asked) == 21


BODY = ((b"Content-Type", b"text/plain"), (b"Accept", b"x"))


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        # https://fetch.spec.whatwg.org/#concept-http-redirect-fetch, step 12
        (b"POST", 301, (b"GET", False)),
        (b"POST", 302, (b"GET", False)),
        (b"POST", 303, (b"GET", False)),
        (b"POST", 307, (b"POST", True)),
        (b"POST", 308, (b"POST", True)),
        (b"PUT", 302, (b"PUT", True)),
        (b"PUT", 303, (b"GET", False)),
        (b"HEAD", 303, (b"HEAD", True)),
        (b"GET", 303, (b"GET", True)),
    ],
)
def test_what_a_redirect_makes_of_the_method_and_the_headers_of_the_body(method, status, expected):
    server = Server(**{HOME: redirect(HOME + "x", status)})
    run(page(HOME, method=method, headers=BODY), server)
    last = server.asked[-1]
    assert (last.method, b"Content-Type" in dict(last.headers)) == expected
    assert b"Accept" in dict(last.headers)


@pytest.mark.parametrize(("target", "expected"), [(API + "x", True), (THIRD, False)])
def test_authorization_does_not_follow_to_another_origin(target, expected):
    allowed = shared(204, (b"Access-Control-Allow-Headers", b"authorization, x-a"))
    server = Server(preflight=allowed, **{API: redirect(target), target: shared()})
    assert run(page(headers=((b"Authorization", b"x"), (b"X-A", b"1"))), server).verdict.allowed
    assert (b"Authorization" in dict(server.asked[-1].headers)) is expected
    assert b"X-A" in dict(server.asked[-1].headers)


@pytest.mark.parametrize(
    ("upload", "status", "expected"),
    [
        (Upload.PLAIN, 307, None),
        (Upload.WATCHED, 307, None),
        (Upload.STREAM, 307, Blocked.REDIRECT_STREAM),
        (Upload.STREAM, 302, Blocked.REDIRECT_STREAM),
        (Upload.STREAM, 303, None),
    ],
)
def test_a_streamed_body_cannot_be_sent_again(upload, status, expected):
    server = Server(preflight=shared(204), **{API: redirect("/x", status), API + "x": shared()})
    assert run(page(method=b"POST", upload=upload), server).verdict.blocked is expected


def test_a_preflight_that_was_forced_is_forced_after_a_redirect_too():
    server = Server(preflight=shared(204), **{API: redirect("/x", 303), API + "x": shared()})
    run(page(method=b"POST", upload=Upload.STREAM), server)
    assert server.methods == [b"OPTIONS", b"POST", b"OPTIONS", b"GET"]


def test_one_answer_that_hides_its_timing_hides_all_of_it():
    """https://fetch.spec.whatwg.org/#timing-allow-failed."""
    timed = (b"Timing-Allow-Origin", b"*")
    target = API + "x"
    open_answer = shared(302, (b"Location", target.encode()), timed)
    assert run(page(), Server(**{API: open_answer, target: shared(200, timed)})).timing
    assert not run(page(), Server(**{API: redirect(target), target: shared(200, timed)})).timing


@pytest.mark.parametrize("credentials", list(Credentials))
def test_when_cookies_go_along(credentials):
    """https://fetch.spec.whatwg.org/#http-network-or-cache-fetch, includeCredentials."""
    server = Server()
    run(page(HOME, credentials=credentials), server)
    run(page(API, credentials=credentials), server)
    at_home, abroad = (request.credentials for request in server.asked)
    assert at_home is (credentials is not Credentials.OMIT)
    assert abroad is (credentials is Credentials.INCLUDE)


def test_the_browsers_side_knows_nothing_of_policies():
    """What judges the policy must not be made of it."""
    own = {"browser", "check", "safelist", "fetch"}
    for name in own:
        tree = ast.parse(Path(inspect.getfile(subject)).with_name(f"{name}.py").read_text(encoding="utf-8"))
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        ours = {module for module in imported if module.startswith("corsproxy")}
        assert ours <= {f"corsproxy.cors.{module}" for module in own}
