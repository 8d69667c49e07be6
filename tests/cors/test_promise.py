"""The promise: the browser lets a page through exactly when the policy means it to.

Hypothesis writes policies, requests and an upstream with CORS headers of its own.  What a policy *means* is said in
``meaning`` a second time, without the engine; what a page *gets* is said by the browser's side of the protocol, which
knows no policy.  Between the two stands a proxy in a few lines, that answers preflights with
``Policy.judge_preflight`` and puts ``Policy.judge_actual`` in the place of the upstream's CORS headers.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from corsproxy.cors.browser import Fetched, Headers, Request, Send, Verdict, WireRequest, WireResponse, run
from corsproxy.cors.decision import Decision, Outcome
from corsproxy.cors.policy import Policy, PolicySpec, compile_policy
from tests.cors.meaning import API, NUMBERED, ORIGINS, SITES, UPSTREAM_CORS, UPSTREAMS, Written, cases, policies

# Slow machines break no promise.
promise = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def granting(headers: Headers) -> list[bytes]:
    """The names of the headers that open something to another origin."""
    return [name for name, _ in headers if name.lower().startswith((b"access-control-", b"timing-allow-origin"))]


class Proxy:
    """The data plane in a few lines: the engine's decision, on the wire."""

    def __init__(self, policy: Policy, upstream: WireResponse):
        self.policy = policy
        self.upstream = upstream
        self.answers: list[WireResponse] = []
        self.forwarded: list[WireRequest] = []

    def __call__(self, request: WireRequest) -> WireResponse:
        origins = self._values(request, b"origin")
        methods = self._values(request, b"access-control-request-method")
        if request.method == b"OPTIONS" and origins and methods:
            response = self._preflight(request, origins[0], methods)
        else:
            response = self._actual(request, self.policy.judge_actual(origins))
        self.answers.append(response)
        return response

    def _preflight(self, request, origin, methods):
        asked = self._values(request, b"access-control-request-headers")
        decision = self.policy.judge_preflight(origin, methods, asked, False)
        assert decision.outcome.name.startswith("PREFLIGHT")
        status = 403 if decision.outcome.denied else self.policy.preflight_status
        return WireResponse(status, self._lines(decision))

    def _actual(self, request, decision):
        if decision.outcome.denied and self.policy.on_denied == "reject":
            return WireResponse(403, self._lines(decision))
        self.forwarded.append(request)
        own = tuple(header for header in self.upstream.headers if header[0] not in granting(self.upstream.headers))
        exposed: Headers = ()
        if decision.exposes_actual:
            exposed = ((b"Access-Control-Expose-Headers", b", ".join(name for name, _ in own)),)
        return WireResponse(self.upstream.status, (*own, *self._lines(decision), *exposed))

    @staticmethod
    def _lines(decision: Decision) -> Headers:
        lines = decision.lines.split(b"\r\n")
        assert lines.pop() == b""
        return tuple((name, value) for name, _, value in (line.partition(b": ") for line in lines))

    @staticmethod
    def _values(request, name):
        return [value for candidate, value in request.headers if candidate.lower() == name]


def fetch(written: Written, request: Request, upstream: WireResponse) -> tuple[Fetched, Proxy]:
    proxy = Proxy(compile_policy(written.spec), upstream)
    send: Send = proxy
    return run(request, send), proxy


@settings(promise, max_examples=400)
@given(cases(), UPSTREAMS)
def test_a_page_gets_through_exactly_when_the_policy_means_it_to(case, upstream):
    written, asked = case
    fetched, proxy = fetch(written, asked.request, upstream)
    meant = (
        written.means_origin(asked.request.origin.decode())
        and written.means_method(asked.method)
        and all(map(written.means_header, asked.unsafe))
        and written.means_credentials(asked.request.credentials)
    )
    assert fetched.verdict.allowed is meant, fetched.verdict
    if meant:
        assert fetched.response is not None
        assert fetched.response.status == upstream.status
        assert len(proxy.forwarded) == 1


@promise
@given(cases(), UPSTREAMS, UPSTREAM_CORS)
def test_the_upstreams_cors_headers_never_change_that(case, upstream, cors):
    """Wherever they stand among the others."""
    written, asked = case
    plain, _ = fetch(written, asked.request, upstream)
    before, _ = fetch(written, asked.request, replace(upstream, headers=(*cors, *upstream.headers)))
    after, _ = fetch(written, asked.request, replace(upstream, headers=(*upstream.headers, *cors)))
    assert plain == before == after


@promise
@given(cases(), UPSTREAMS, UPSTREAM_CORS)
def test_nothing_is_granted_to_a_denied_origin(case, upstream, cors):
    written, asked = case
    _, proxy = fetch(written, asked.request, replace(upstream, headers=(*upstream.headers, *cors)))
    if written.means_origin(asked.request.origin.decode()):
        return
    for answer in proxy.answers:
        assert granting(answer.headers) == []


@promise
@given(cases(), UPSTREAMS)
def test_a_denied_preflight_grants_nothing_and_reaches_nobody(case, upstream):
    """Not the origin either, so that all the reasons look alike from outside."""
    written, asked = case
    fetched, proxy = fetch(written, asked.request, upstream)
    if proxy.answers[0].status == 403 and fetched.verdict.step.value == "preflight":
        assert granting(proxy.answers[0].headers) == []
        assert proxy.forwarded == []


SAFELISTED = {
    b"cache-control", b"content-language", b"content-length", b"content-type", b"expires", b"last-modified", b"pragma"
}  # fmt: skip


@promise
@given(cases(), UPSTREAMS)
def test_exactly_the_headers_that_are_meant_can_be_read(case, upstream):
    written, asked = case
    fetched, _ = fetch(written, asked.request, upstream)
    if fetched.response is None:
        return
    listed = {name.lower().encode() for name in written.spec.expose_headers}
    sent = {name.lower() for name, _ in upstream.headers} - {b"set-cookie"}
    meant = sent if listed == {b"*"} else sent & (listed | SAFELISTED)
    read_names = {name.lower() for name, _ in fetched.response.headers}
    assert read_names & {name.lower() for name, _ in upstream.headers} == meant


@promise
@given(cases(), UPSTREAMS)
def test_timing_is_shown_exactly_to_the_origins_that_are_listed_for_it(case, upstream):
    written, asked = case
    fetched, _ = fetch(written, asked.request, upstream)
    if not fetched.verdict.allowed:
        return
    assert fetched.timing is written.means_timing(asked.request.origin.decode())


@promise
@given(policies(), st.lists(ORIGINS, min_size=2, max_size=2))
def test_an_answer_that_does_not_vary_is_the_same_for_everybody(written, origins):
    """Otherwise a cache would hand one origin's answer to another.

    https://fetch.spec.whatwg.org/#cors-protocol-and-http-caches
    """
    policy = compile_policy(written.spec)
    asked = [origin.encode() for origin in origins]
    actual = [*(policy.judge_actual([origin]) for origin in asked), policy.judge_actual([])]
    preflights = [policy.judge_preflight(origin, [b"PUT"], [b"x-a"], False) for origin in asked]
    for answers in (actual, preflights):
        assert len({answer.vary for answer in answers}) == 1
        if b"Origin" not in answers[0].vary:
            assert len({answer.lines for answer in answers}) == 1


MUTATIONS = st.sampled_from(
    [
        lambda origin: origin + "/",
        lambda origin: origin + ".",
        lambda origin: origin + ":443",
        lambda origin: origin + ".evil.test",
        lambda origin: origin + "@evil.test",
        lambda origin: origin + "\x00",
        lambda origin: origin.upper(),
        lambda origin: origin.replace("//", "//evil", 1),
        lambda origin: origin.replace("//", "//evil.test/", 1),
        lambda origin: origin.replace("//", "//user@", 1),
        lambda origin: origin.replace("//", "//.", 1),
        lambda origin: origin.replace(".", "x", 1),
        lambda origin: origin.replace(".", "..", 1),
        lambda origin: origin.replace("https", "http", 1),
        lambda origin: origin.replace("http", "xhttp", 1),
        lambda origin: " " + origin,
        lambda origin: f"{origin}, {origin}",
        lambda origin: origin[:-1],
    ]
)


@promise
@given(policies(), st.one_of(SITES.map(str), st.sampled_from([*NUMBERED, "null", ""])), MUTATIONS)
def test_no_hostile_spelling_of_an_origin_is_allowed(written, origin, mutate):
    hostile = mutate(origin)
    policy = compile_policy(written.spec)
    assert policy.allows_origin(hostile.encode()) is written.means_origin(hostile)


@promise
@given(policies(), st.binary(max_size=60))
@example(Written(PolicySpec(name="x", allow_origins=("https://*.example.com:*",))), b"https://\xff.example.com")
def test_noise_is_never_an_origin(written, noise):
    policy = compile_policy(written.spec)
    decision = policy.judge_actual([noise])
    if "*" not in written.spec.allow_origins:
        assert decision.outcome is Outcome.DENIED_ORIGIN


@promise
@given(policies(), ORIGINS, ORIGINS)
def test_two_origin_lines_are_nobodys(written, first, second):
    if "*" in written.spec.allow_origins:
        return
    decision = compile_policy(written.spec).judge_actual([first.encode(), second.encode()])
    assert decision.outcome is Outcome.DENIED_ORIGIN
    assert b"ccess-control" not in decision.lines.lower()


def test_the_model_tells_a_broken_proxy_from_a_whole_one():
    """A proxy that lets the upstream's headers through breaks the promise, and the model sees it."""

    class Leaky(Proxy):
        def _actual(self, request, decision):
            whole = super()._actual(request, decision)
            return replace(whole, headers=(*whole.headers, (b"Access-Control-Allow-Origin", b"*")))

    policy = compile_policy(PolicySpec(name="web-app", allow_origins=("https://example.com",)))
    stranger = Request(url=API, origin=b"https://evil.test")
    guest = Request(url=API, origin=b"https://example.com")
    assert run(stranger, Leaky(policy, WireResponse(200))).verdict == Verdict()
    assert not run(guest, Leaky(policy, WireResponse(200))).verdict.allowed
