"""Who is told of which exchange."""

import pytest

from corsproxy.cors.decision import Decision, Outcome
from corsproxy.proxy.exchange import Exchange
from corsproxy.server.drift import INTERVAL
from corsproxy.server.observers import Both, Notable


def exchange(outcome=Outcome.ALLOWED, upstream="http://a:1", heard=0.0):
    return Exchange("", b"GET", b"/", b"h", b"", decision=Decision(outcome), upstream=upstream, heard=heard)


def test_both_are_told():
    one, other = [], []
    seen = exchange()
    Both(one.append, other.append)(seen)
    assert one == other == [seen]


@pytest.mark.parametrize(
    ("exchanges", "told"),
    [
        pytest.param([exchange()], [], id="what was answered here and granted"),
        pytest.param([exchange(Outcome.DENIED_ORIGIN)] * 3, [0, 1, 2], id="every denial"),
        pytest.param(
            [exchange(Outcome.DENIED_ORIGIN, heard=5.0), exchange(Outcome.DENIED_ORIGIN, heard=5.1)],
            [0, 1],
            id="every denial that was forwarded",
        ),
        pytest.param(
            [exchange(heard=5.0), exchange(heard=5.1), exchange(heard=5.0 + INTERVAL)], [0, 2], id="one in a second"
        ),
        pytest.param([exchange(heard=5.0), exchange(upstream="http://b:1", heard=5.1)], [0, 1], id="of each endpoint"),
    ],
)
def test_a_log_that_is_off_is_told_of_little(exchanges, told):
    seen = []
    observe = Notable(seen.append)
    for one in exchanges:
        observe(one)
    assert seen == [exchanges[place] for place in told]


def test_endpoints_are_not_remembered_without_bound():
    seen = []
    observe = Notable(seen.append)
    for number in range(3000):
        observe(exchange(upstream=f"http://{number}:1", heard=1.0))
    assert len(observe._due) <= 1000
    assert len(seen) == 3000
