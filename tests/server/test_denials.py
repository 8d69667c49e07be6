"""Which denials, and which flips of the shadow, are worth a line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.load import load_config
from corsproxy.cors.decision import Decision, Outcome
from corsproxy.cors.flip import Change, Difference, Flip
from corsproxy.proxy.exchange import Exchange
from corsproxy.server.causes import BURST, LONGEST, REMEMBERED, Met
from corsproxy.server.denials import Denials, Flips

TEXT = "rules: [{path: /, upstream: 'http://a', policy: {allow_origins: https://a.test}}]"
RULE = load_config(TEXT, "config.yaml", {}).table.rules[0]


def denied(origin=b"https://b.test", at=0.0, outcome=Outcome.DENIED_ORIGIN, rule=RULE, websocket=False):
    decision = Decision(outcome, subject=origin)
    return Exchange("", b"GET", b"/", b"h", origin, rule=rule, decision=decision, started=at, websocket=websocket)


def test_the_first_the_tenth_and_the_hundredth():
    denials = Denials()
    told = [denials.meet(denied()) for _ in range(1000)]
    assert [denial.count for denial in told if denial] == [1, 10, 100, 1000]
    assert all(denial.named for denial in told if denial)


def test_another_origin_reason_or_kind_of_request_is_another_cause():
    denials = Denials()
    for cause in (
        {},
        {"origin": b"https://c.test"},
        {"outcome": Outcome.PREFLIGHT_DENIED_ORIGIN},
        {"websocket": True},
    ):
        assert denials.meet(denied(**cause)).count == 1


def test_what_is_not_denied_or_has_no_rule_is_none():
    denials = Denials()
    assert denials.meet(denied(outcome=Outcome.ALLOWED)) is None
    assert denials.meet(denied(rule=None)) is None


def test_made_up_origins_are_counted_as_one_until_there_is_time_again():
    denials = Denials()
    told = [denials.meet(denied(b"https://%d.test" % number)) for number in range(BURST + 1000)]
    assert [denial.named for denial in told[:BURST]] == [True] * BURST
    assert [(denial.count, denial.named) for denial in told[BURST:] if denial] == [
        (1, False),
        (10, False),
        (100, False),
        (1000, False),
    ]
    later = denials.meet(denied(b"https://new.test", at=5.0))
    assert (later.count, later.named) == (1, True)


@given(st.lists(st.tuples(st.integers(0, 5000), st.floats(0, 10)), max_size=300))
def test_memory_and_lines_have_a_bound(floods):
    denials, now, lines = Denials(), 0.0, 0
    for number, pause in floods:
        now += pause
        for step in range(20):
            told = denials.meet(denied(b"https://%d.test" % (number * 20 + step), at=now))
            lines += told is not None and told.count == 1
    assert len(denials.causes) <= REMEMBERED
    assert lines <= BURST + now + 2


def test_long_origins_that_begin_alike_are_one_cause():
    denials = Denials()
    for tail in (b"b", b"c"):
        denials.meet(denied(b"https://a" + b"a" * 60_000 + tail))
    ((_, subject),) = denials.causes._counts
    assert len(subject) == LONGEST


# What the shadow would decide otherwise.


def flipped(origin=b"https://b.test", change=Change.NEWLY_DENIED, method=b"GET", at=0.0, rule=RULE):
    flip = Flip(Difference(change, Outcome.DENIED_ORIGIN, origin), Decision(Outcome.DENIED_ORIGIN), "/", "t:1:1", "p")
    return Exchange("", method, b"/", b"h", origin, rule=rule, shadow=flip, started=at)


def test_a_flip_is_counted_by_rule_change_origin_and_method():
    flips = Flips()
    told = [flips.meet(flipped()) for _ in range(100)]
    assert [met.count for met in told if met] == [1, 10, 100]
    for other in ({"origin": b"https://c.test"}, {"change": Change.CHANGED}, {"method": b"PUT"}, {"rule": None}):
        assert flips.meet(flipped(**other)) == Met(count=1, named=True)
    assert flips.meet(Exchange("", b"GET", b"/", b"h", b"", rule=RULE)) is None


def test_flips_of_made_up_origins_and_methods_have_a_bound():
    flips = Flips()
    told = [flips.meet(flipped(b"https://%d.test" % number, method=b"M%d" % number)) for number in range(5000)]
    assert sum(met is not None and met.named for met in told) == BURST
    assert len(flips.causes) == BURST + 1
