"""The promise: on every way out of the process the answer carries exactly the CORS and Vary lines that the rule grants.

Three judges: ``Sample``, which says by hand what each policy grants (and knows nothing of the policy code), a strict
comparison of lines, and a browser (``corsproxy.cors.browser``) that fetches over the real wire.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.cors.browser import Credentials, Request
from corsproxy.proxy.compilation import compiled
from tests.e2e.page import browse
from tests.e2e.rig import (
    APP,
    EVIL,
    RawUpstream,
    RunningProxy,
    ServerWire,
    answer,
    answering,
    between,
    config,
    refusing,
    running_proxy,
)
from tests.e2e.ways_out import (
    ACAC,
    ACAO,
    CORP,
    LEAK,
    LEAKED,
    ORIGINS,
    SAMPLES,
    WAYS,
    Line,
    Sample,
    Way,
    forwarded,
    origin_lines,
)


def expected_lines(way: Way, sample: Sample, origins: tuple[str, ...]) -> list[Line]:
    if not way.ruled:
        return []
    if sample.policy == "none":
        return LEAKED if way.forwarded or way.status in {200, 401} else []
    return sample.actual(origins)


def expected_vary(way: Way, sample: Sample) -> list[bytes]:
    upstreams = [b"accept-encoding"] if way.forwarded else []
    return [*upstreams, *([b"origin"] if way.ruled and sample.varies else [])]


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_answer_carries_exactly_what_the_rule_grants(way, sample):
    async with way.open(sample) as ask:
        for name, origins in ORIGINS.items():
            response = await ask(*origin_lines(origins))
            # Without an Origin no page is behind the request, so there is nobody to reject.
            denied = bool(origins) and not sample.allows(origins) and sample.policy != "none"
            status = way.rejected if way.rejected and denied else way.status
            assert (name, response.status) == (name, status)
            assert (name, response.cors) == (name, expected_lines(way, sample, origins))
            assert (name, response.vary) == (name, expected_vary(way, sample))
            assert b"Traceback" not in response.body


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())
async def test_preflight_carries_exactly_what_the_rule_grants(sample):
    asked = (b"Access-Control-Request-Method: PUT", b"Access-Control-Request-Headers: x-custom")
    vary = [b"origin"] * sample.varies + [b"access-control-request-method", b"access-control-request-headers"]
    async with forwarded(b"200 OK", asked=b"OPTIONS /x")(sample) as ask:
        for name, origins in ORIGINS.items():
            response = await ask(*asked, *origin_lines(origins))
            if not origins or sample.policy == "none":  # an ordinary OPTIONS, or nobody's business here
                assert (name, response.status) == (name, 200)
                continue
            granted = sample.allows(origins)
            assert (name, response.status) == (name, 204 if granted else 403)
            assert (name, response.vary) == (name, vary)
            lines = [line for line in response.cors if line[0] not in {CORP[0], b"timing-allow-origin"}]
            grant = [line for line in sample.grant if line[0] in {ACAO, ACAC}]
            assert (name, lines) == (name, sorted((*grant, *sample.preflight)) if granted else [])


# A bug.  Where it is planted, the decision has been taken already or not; a page that is allowed may read the 500.


@pytest.mark.skipif(compiled(), reason="nobody can plant a bug in machine code")
@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())
@pytest.mark.parametrize(
    "place",
    ["corsproxy.proxy.pool.Pool.acquire", "corsproxy.proxy.relay.response_head", "corsproxy.proxy.walk.begin_upload"],
)
async def test_bug_in_the_handler_is_a_500_that_the_page_may_read(monkeypatch, sample, place):
    def bug(*_: object, **__: object) -> None:
        raise RuntimeError("planted")

    async with running_planted(sample) as proxy:
        monkeypatch.setattr(place, bug)
        for name, origins in ORIGINS.items():
            response = await proxy.ask(b"POST /x", *origin_lines(origins), body=b"hello")
            assert (name, response.status) == (name, 500)
            assert (name, response.cors) == (name, [] if sample.policy == "none" else sample.actual(origins))
            assert (name, response.vary) == (name, [b"origin"] if sample.varies else [])
            assert b"planted" not in response.body
            assert b"Traceback" not in response.body
        monkeypatch.undo()
        assert (await proxy.ask(b"GET /x")).status == 200


@contextlib.asynccontextmanager
async def running_planted(sample: Sample) -> AsyncIterator[RunningProxy]:
    """A proxy in which a bug may be logged."""
    async with (
        RawUpstream(answering(answer(b"200 OK", *LEAK))) as upstream,
        running_proxy(config(upstream.url, policy=sample.policy), may_log=["planted"]) as proxy,
    ):
        yield proxy


# The browser's word.


def page(origin: str, sample: Sample, method: bytes = b"GET") -> Request:
    """What a script asks for, with cookies where the policy knows of them."""
    return Request(
        url="http://api.example.com/x",
        origin=origin.encode(),
        method=method,
        headers=((b"X-Custom", b"1"),) if method != b"GET" else (),
        credentials=Credentials.INCLUDE if sample.credentials else Credentials.OMIT,
    )


async def landing(wire: ServerWire) -> None:
    """An upstream that redirects once, and leaks on every answer."""
    while True:
        target = (await wire.request()).target
        found = answer(b"302 Found", b"Location: /landed", *LEAK)
        await wire.send(answer(b"200 OK", b"X-Total: 3", *LEAK) if target == b"/landed" else found)


@pytest.mark.parametrize("method", [b"GET", b"PUT"])
@pytest.mark.parametrize("origin", [APP, EVIL, "null", "https://app.example.com:8443", "http://app.example.com"])
@pytest.mark.parametrize("sample", [key for key in SAMPLES if key != "none"])
async def test_browser_lets_the_page_through_exactly_when_the_policy_means_it_to(sample, origin, method):
    """The upstream's own CORS headers, a redirect and a preflight on the way change nothing."""
    own = SAMPLES[sample]
    async with between(landing, policy=own.policy) as (upstream, proxy):
        visit = await browse(proxy, page(origin, own, method))
    intended = own.allows((origin,))
    assert visit.allowed is intended
    assert b"OPTIONS" not in {received.method for received in upstream.requests}
    assert (b"x-total" in visit.readable) is (intended and own.credentials)


@pytest.mark.parametrize("origin", [APP, EVIL])
@pytest.mark.parametrize("sample", [key for key in SAMPLES if key != "none"])
async def test_browser_shows_the_failure_exactly_to_whom_the_policy_trusts(sample, origin):
    """A page that is allowed reads "502"; the others see what they would see of any other answer: nothing."""
    own = SAMPLES[sample]
    with refusing() as url:
        async with running_proxy(config(url, policy=own.policy)) as proxy:
            visit = await browse(proxy, page(origin, own))
    assert visit.allowed is own.allows((origin,))
    assert visit.responses[-1].status == 502
    assert visit.body.startswith(b"corsproxy: 502 ") is visit.allowed


# Any upstream at all.

NAMES = st.sampled_from(
    [
        b"Access-Control-Allow-Origin",
        b"ACCESS-CONTROL-ALLOW-ORIGIN",
        b"access-control-allow-credentials",
        b"Access-Control-Expose-Headers",
        b"Access-Control-Max-Age",
        b"Access-Control-X",
        b"Vary",
        b"vary",
        b"Origin",
        b"Connection",
    ]
)
VALUES = st.sampled_from(
    [b"*", APP.encode(), EVIL.encode(), b"null", b"true", b"", b"Origin", b"Accept", b"origin, *", b"x"]
)
LINES = st.lists(
    st.tuples(NAMES, VALUES).filter(lambda line: line[0] != b"Connection" or line[1] in {b"Origin", b"x"}), max_size=6
)
STATUSES = st.sampled_from([b"200 OK", b"204 No Content", b"302 Found", b"304 Not Modified", b"403 No", b"500 Oops"])


@given(
    lines=LINES,
    status=STATUSES,
    sample=st.sampled_from([key for key in SAMPLES if key != "none"]),
    origin=st.sampled_from(list(ORIGINS)),
)
async def test_no_upstream_changes_what_is_granted(lines, status, sample, origin):
    own, origins = SAMPLES[sample], ORIGINS[origin]
    sent = answer(status, *(name + b": " + value for name, value in lines))
    async with between(answering(sent), policy=own.policy) as (_, proxy):
        response = await proxy.ask(b"GET /x", *origin_lines(origins))
    said = {part.strip().lower() for name, value in lines if name.lower() == b"vary" for part in value.split(b",")}
    nominated = {value.lower() for name, value in lines if name == b"Connection"}
    assert response.cors == own.actual(origins)
    assert len(response.vary) == len(set(response.vary))
    if b"*" in said and b"vary" not in nominated:
        assert response.vary == [b"*"]
    else:
        assert set(response.vary) == (said - {b""}) | ({b"origin"} if own.varies else set())
