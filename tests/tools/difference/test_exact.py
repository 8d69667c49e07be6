"""The difference is exact: a request is answered differently exactly when the difference names it.

Hypothesis writes two tables and requests; what the tables make of them is asked of the data plane and the browser
model (``engine``), fact by fact.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from corsproxy.cors.browser import Request
from corsproxy.cors.safelist import unsafe_names
from corsproxy.http.target import parse_host, parse_target
from corsproxy.tools.difference.abilities import Ability
from corsproxy.tools.difference.comparison import Verdict
from corsproxy.tools.difference.places import Cell
from corsproxy.tools.difference.tables import Remark, difference, no_wider
from corsproxy.tools.difference.witness import witness_of
from tests.tools.difference import engine
from tests.tools.difference.tables import pairs, requests

exact = settings(deadline=None, suppress_health_check=list(HealthCheck))

REQUEST_GAINS = {Ability.READ, Ability.METHODS, Ability.HEADERS, Ability.CREDENTIALS}
SWAPPED = {Verdict.ALLOWED: Verdict.DENIED, Verdict.DENIED: Verdict.ALLOWED, Verdict.UNCERTAIN: Verdict.UNCERTAIN}


class Claims:
    """What a difference says of one request."""

    def __init__(self, found, request):
        parts = urlsplit(request.url)
        target = parse_target(parts.path.encode())
        host, _ = parse_host(parts.netloc.encode())
        cell = found.space.locate(host, target.key, target.lenient)
        remarks = {note.remark for note in found.notes if cell in note.cells}
        self.spelling = Remark.SPELLING in remarks
        self.refused = found.space.pair(cell) == (None, None)
        self.cell = cell if self.spelling or self.refused else Cell(cell.host, cell.path, cell.path)
        self.remarks = {note.remark for note in found.notes if self.cell in note.cells}
        self.changes = [
            placed.change
            for placed in found.changes
            if self.cell in placed.cells and placed.change.origins.covers(request.origin)
        ]
        self.request = request

    @property
    def uncertain(self):
        return any(change.verdict is Verdict.UNCERTAIN for change in self.changes)

    def names(self, verdict, *abilities):
        """Whether any of these abilities, as far as the request uses it, changes so."""
        return any(
            gain.ability in abilities and self.uses(gain)
            for change in self.changes
            if change.verdict is verdict
            for gain in change.gains
        )

    def uses(self, gain):
        match gain.ability:
            case Ability.METHODS:
                return self.request.method.decode() in gain.names
            case Ability.HEADERS:
                return any(name.decode() in gain.names for name in unsafe_names(self.request.headers))
            case Ability.CREDENTIALS:
                return engine.includes(self.request)
            case _:
                return True

    def exposes(self, verdict, name):
        return any(
            gain.ability is Ability.EXPOSED and name.decode() in gain.names
            for change in self.changes
            if change.verdict is verdict
            for gain in change.gains
        )


@settings(exact, max_examples=60)
@given(st.data())
def test_a_request_is_answered_differently_exactly_when_the_difference_names_it(data):
    old, new = data.draw(pairs())
    found = difference(old, new)
    origins = [example.origin for placed in found.changes for example in placed.change.origins.examples]
    for request in data.draw(st.lists(requests(origins), min_size=5, max_size=10)):
        if not engine.same_origin(request):
            judge(Claims(found, request), old, new)


def judge(claims, old, new):
    request = claims.request
    if claims.spelling:
        served = [engine.sent(table, request.url, b"null") or refused_by_policy(table, request) for table in (old, new)]
        assert served[0] != served[1]
        return
    if claims.uncertain:
        assert undecided(old, request) or undecided(new, request)
        return
    if undecided(old, request):
        for upstream in (engine.closed, engine.open_to_all):
            assert engine.fetched(old, request, upstream) == engine.fetched(new, request, upstream)
        return
    before, after = engine.fetched(old, request), engine.fetched(new, request)
    assert before == engine.fetched(old, request, engine.open_to_all)
    assert after == engine.fetched(new, request, engine.open_to_all)
    for verdict, left, right in ((Verdict.ALLOWED, before, after), (Verdict.DENIED, after, before)):
        judge_fetch(claims, verdict, left, right)
    for verdict, left, right in ((Verdict.ALLOWED, old, new), (Verdict.DENIED, new, old)):
        judge_others(claims, verdict, left, right)


def judge_fetch(claims, verdict, left, right):
    """What the page gets of ``right`` and not of ``left``."""
    gained = right.allowed and not left.allowed
    assert gained == (right.allowed and claims.names(verdict, *REQUEST_GAINS))
    if right.allowed and not gained:
        for name in map(bytes.lower, engine.READABLE):
            assert (name in right.readable - left.readable) == claims.exposes(verdict, name)
    if right.allowed:
        assert (right.timing and not left.timing) == (
            claims.names(verdict, Ability.TIMING) or (gained and right.timing)
        )


def judge_others(claims, verdict, left, right):
    """What else ``right`` lets the page do and ``left`` does not."""
    request, url, origin = claims.request, claims.request.url, claims.request.origin
    served = Remark.SERVED if verdict is Verdict.ALLOWED else Remark.REFUSED
    if engine.private_network(right, request):
        assert engine.private_network(left, request) is not claims.names(
            verdict, Ability.READ, Ability.METHODS, Ability.HEADERS, Ability.PRIVATE_NETWORK
        )
    simple = Request(url=url, origin=origin)
    timed = engine.fetched(right, simple).timing and not engine.fetched(left, simple).timing
    assert timed == claims.names(verdict, Ability.TIMING)
    sent = engine.sent(right, url, origin) and not engine.sent(left, url, origin)
    assert sent == (
        claims.names(verdict, Ability.SEND) or (served in claims.remarks and engine.sent(right, url, origin))
    )
    connected = engine.connected(right, url, origin) and not engine.connected(left, url, origin)
    assert connected == claims.names(verdict, Ability.READ)
    measured = engine.measured(right, url, origin) and not engine.measured(left, url, origin)
    assert measured == claims.names(verdict, Ability.MEASURE)
    if served not in claims.remarks and not {Remark.SERVED, Remark.REFUSED} & claims.remarks:
        ranks = [rank(engine.embedding(table, url)) for table in (left, right)]
        assert (ranks[1][1] > ranks[0][0] and ranks[0] != ranks[1]) == claims.names(verdict, Ability.EMBED)


def rank(policy):
    """The least and the most that a Cross-Origin-Resource-Policy lets embed; without one the upstream decides."""
    return (0, 2) if policy is None else (engine.CORPS.index(policy),) * 2


def rule_of(table, request):
    parts = urlsplit(request.url)
    target = parse_target(parts.path.encode())
    host, _ = parse_host(parts.netloc.encode())
    rule = table.find(host, target.key)
    return rule if rule is table.find(host, target.lenient) else None


def undecided(table, request):
    rule = rule_of(table, request)
    return rule is not None and rule.policy is None


def refused_by_policy(table, request):
    rule = rule_of(table, request)
    return rule is not None and rule.policy is not None


@settings(exact, max_examples=50)
@given(pairs())
def test_every_witness_flips(tables):
    old, new = tables
    found = difference(old, new)
    for placed in found.changes:
        cell, change = placed.cells[0], placed.change
        host = found.space.host_in(cell.host)
        for example in change.origins.examples:
            assert change.origins.covers(example.origin.encode())
            for gain in change.gains or (None,):
                flips(witness_of(gain, example.origin, host, cell.path), change, gain, old, new)


def flips(shown, change, gain, old, new):
    request = shown.request
    assert not engine.same_origin(request)
    if change.verdict is Verdict.UNCERTAIN:
        ways = {
            (engine.fetched(old, request, before).allowed, engine.fetched(new, request, after).allowed)
            for before in (engine.closed, engine.open_to_all)
            for after in (engine.closed, engine.open_to_all)
        }
        assert len(ways) > 1
        assert not change.widens or (False, True) in ways
        return
    left, right = (old, new) if change.verdict is Verdict.ALLOWED else (new, old)
    match gain.ability:
        case Ability.READ | Ability.METHODS | Ability.HEADERS | Ability.CREDENTIALS:
            assert engine.fetched(right, request).allowed
            assert not engine.fetched(left, request).allowed
        case Ability.EXPOSED:
            read = [shown.reads.lower().encode() in names for names in (reads(left, shown), reads(right, shown))]
            assert read == [False, True]
        case Ability.TIMING:
            assert [engine.fetched(table, request).timing for table in (left, right)] == [False, True]
        case Ability.PRIVATE_NETWORK:
            assert [engine.private_network(table, request) for table in (left, right)] == [False, True]
        case Ability.SEND:
            assert [engine.sent(table, request.url, request.origin) for table in (left, right)] == [False, True]
        case Ability.MEASURE:
            assert [engine.measured(table, request.url, request.origin) for table in (left, right)] == [False, True]
        case Ability.EMBED:
            assert engine.embedding(left, request.url) != engine.embedding(right, request.url)


def reads(table, shown):
    """The headers that the page reads of an upstream that sends just what the witness looks at."""

    def upstream(asked):
        answer = engine.closed(asked)
        return type(answer)(200, (*answer.headers, (shown.reads.encode(), b"1")))

    return engine.fetched(table, shown.request, upstream).readable


@settings(exact, max_examples=25)
@given(pairs())
def test_a_table_does_not_differ_from_itself(tables):
    for table in tables:
        found = difference(table, table)
        assert (found.changes, found.notes) == ((), ())


@settings(exact, max_examples=25)
@given(pairs())
def test_the_difference_is_the_same_from_both_sides(tables):
    old, new = tables
    forth, back = difference(old, new), difference(new, old)
    assert seen(forth, swapped=False) == seen(back, swapped=True)
    assert no_wider(new, old) is not any(
        placed.change.verdict is Verdict.DENIED or uncertain_here(placed) for placed in back.changes
    )


def uncertain_here(placed):
    """Whether what the upstream decides on one side is served at all on the old one, which was the new one."""
    return placed.change.verdict is Verdict.UNCERTAIN and any(pair.old is not None for pair in placed.pairs)


def seen(found, *, swapped):
    return sorted(
        (
            SWAPPED[placed.change.verdict] if swapped else placed.change.verdict,
            placed.change.verdict is Verdict.UNCERTAIN
            or sorted((gain.ability, sorted(gain.names.listed), gain.names.all_but) for gain in placed.change.gains),
            sorted(placed.cells),
        )
        for placed in found.changes
    )


def test_the_generators_reach_every_ability():
    """Otherwise nothing above would have been tried."""
    reached = set()

    @settings(exact, max_examples=60, database=None, derandomize=True)
    @given(pairs())
    def collect(tables):
        assume(tables)
        for placed in difference(*tables).changes:
            reached.update(gain.ability for gain in placed.change.gains)

    collect()
    assert reached == set(Ability)
