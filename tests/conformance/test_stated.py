"""Vectors for a server of which only the policy is known."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from corsproxy.config.model import PolicyConfig
from corsproxy.conformance.conclusion import asked
from corsproxy.conformance.model import Behaviour
from corsproxy.conformance.runner import run
from corsproxy.conformance.stated import STATED, covered
from corsproxy.conformance.targets.running import NoUrl, Running
from corsproxy.errors import InvalidPolicy
from tests.e2e.rig import answer, answering, between

SHOP = {"allow_origins": ["https://shop.example:8443"], "allow_credentials": True, "allow_methods": ["GET", "PUT"]}


def of(suite, **policy):
    return covered(suite, PolicyConfig.model_validate(policy))


def test_the_stated_origins_take_the_place_of_the_vectors(suite):
    vectors = {vector.id: vector for vector in of(suite, **SHOP).vectors}
    assert vectors["origin-lookalike-suffix"].values["origin"] == "https://shop.example:8443.evil.example"
    assert vectors["origin-lookalike-prefix"].values["origin"] == "https://evilshop.example:8443"
    assert "https://shop.example:8443.evil.example" in vectors["origin-lookalike-suffix"].protects
    assert "origin-listed-second" not in vectors  # there is only one
    assert "app.example.com" not in vectors["origin-listed-first"].model_dump_json()


def test_what_the_policy_decides_otherwise_is_not_covered(suite):
    """PATCH is listed here and denied by the vector; DELETE is granted by the vector and not listed here."""
    ids = {vector.id for vector in of(suite, **{**SHOP, "allow_methods": ["GET", "PUT", "PATCH"]}).vectors}
    assert "method-listed-put" in ids
    assert not {"method-unlisted-patch", "method-listed-delete"} & ids


def test_only_what_changes_nothing_is_sent(suite):
    for vector in of(suite, **SHOP).vectors:
        assert vector.setting == STATED
        for exchange in vector.exchanges:
            assert exchange.upstream == Behaviour()
            assert exchange.request.partition(" ")[0] in {"GET", "HEAD", "OPTIONS"}
            assert (exchange.expect.upstream, exchange.expect.forwarded, exchange.expect.body) == ("either", None, None)


@pytest.mark.parametrize(
    ("policy", "at_least"),
    [
        (SHOP, 150),
        ({"allow_origins": ["http://localhost:3000"]}, 150),
        ({"allow_origins": ["https://a.test", "https://b.test"], "allow_headers": ["X-Custom", "Content-Type"]}, 150),
        ({"allow_origins": "*"}, 5),
        ({"allow_origins": ["https://*.example.com", "https://*.apps.example.org"], "allow_credentials": True}, 25),
    ],
)
def test_policies_of_every_kind_are_covered(suite, policy, at_least):
    vectors = of(suite, **policy).vectors
    assert len(vectors) >= at_least
    assert Counter(vector.id for vector in vectors).most_common(1)[0][1] == 1


def test_without_credentials_nothing_is_said_of_them(suite):
    (vector,) = [v for v in of(suite, allow_origins=["https://a.test"]).vectors if v.id == "origin-listed-credentials"]
    assert vector.exchanges[0].expect.allow_credentials is False


def test_a_policy_that_cannot_be_is_refused(suite):
    with pytest.raises(InvalidPolicy):
        of(suite, allow_origins="*", allow_credentials=True)


def test_a_server_of_its_own_is_judged(suite):
    """This proxy with a policy of its own, as it would be met by its URL; and then with another than was stated."""
    stated = of(suite, **SHOP)

    async def judged(policy):
        async with between(answering(answer(b"404 Not Found", body=b"no")), policy=policy) as (_, proxy):
            return await run(Running(f"http://127.0.0.1:{proxy.port}/orders?a=b"), stated, stated.vectors)

    held = asyncio.run(judged(SHOP))
    assert [(result.vector.id, result.why) for result in held.failed] == []
    assert all("/orders?a=b" in asked(seen.sent).target for result in held.results for seen in result.seen[:1])
    wider = asyncio.run(judged({**SHOP, "allow_origins": [*SHOP["allow_origins"], "https://example.com"]}))
    assert [result.vector.id for result in wider.failed if result.lets_in] == ["origin-lookalike-parent"]


@pytest.mark.parametrize("url", ["api.example.com", "ftp://api.example.com/", "https://", ""])
def test_what_is_no_url(url):
    with pytest.raises(NoUrl):
        Running(url)
