"""Which endpoint gets the next request, by the requests in flight and by what is known of its health."""

from __future__ import annotations

import random
from collections import Counter

from corsproxy.config.table import Endpoint
from corsproxy.proxy.balance import Balance, Member
from corsproxy.proxy.health import EJECT_AFTER, FIRST_EJECTION


class Answered:
    """A connection on which the head of an answer has come."""

    answered = True


class Silent:
    """A connection on which nothing has come yet."""

    answered = False


def balance_of(count, rand=lambda: 0.0):
    members = [
        Member(Endpoint(tls=False, host=f"10.0.0.{n}", port=80, unix_path="", authority=b"a")) for n in range(count)
    ]
    clock = [0.0]
    return Balance(members, rand, lambda: clock[0]), members, clock


def eject(balance, *members, now=0.0):
    for member in members:
        for _ in range(EJECT_AFTER):
            member.health.failed(now)
    balance.sort()


def test_one_is_always_chosen():
    balance, (only,), _ = balance_of(1)
    assert balance.choose() is only
    eject(balance, only)
    assert balance.choose() is only
    assert balance.choose([only]) is only


def test_of_two_the_one_with_fewer_requests():
    balance, (one, two), _ = balance_of(2)
    one.connecting = 1
    assert balance.choose() is two
    two.connecting = 2
    assert balance.choose() is one


def test_load_is_spread():
    """1000 requests that never end, on ten endpoints: one by one choice would vary by thirty, this by a few."""
    balance, members, _ = balance_of(10, random.Random(7).random)
    for _ in range(1000):
        balance.choose().connecting += 1
    assert all(95 <= member.connecting <= 105 for member in members)


def test_every_pair_is_compared():
    chance = random.Random(1)
    balance, members, _ = balance_of(3, chance.random)
    counts = Counter(id(balance.choose()) for _ in range(3000))  # all are idle: the first of the two wins
    assert all(900 <= counts[id(member)] <= 1100 for member in members)


def test_who_is_ejected_is_passed_over_until_it_is_due():
    balance, (one, two), clock = balance_of(2)
    eject(balance, one)
    two.connecting = 100
    assert {balance.choose() for _ in range(5)} == {two}
    clock[0] = FIRST_EJECTION
    assert balance.choose() is one
    one.health.trial = Silent()
    assert balance.choose() is two  # one at a time
    one.health.trial = Answered()
    assert balance.choose() is one  # the answer has begun: it is well again
    assert one.health.well


def test_who_fails_its_checks_is_passed_over():
    balance, (one, two), _ = balance_of(2)
    one.health.checked(well=False)
    one.health.checked(well=False)
    balance.sort()
    assert {balance.choose() for _ in range(5)} == {two}


def test_when_nobody_is_well_everybody_is_asked():
    balance, members, _ = balance_of(3, random.Random(3).random)
    eject(balance, *members)
    assert {balance.choose() for _ in range(100)} == set(members)


def test_a_second_try_goes_to_another_one_and_rather_to_one_that_is_well():
    balance, (one, two, three), _ = balance_of(3)
    eject(balance, two)
    assert balance.choose([one]) is three
    assert balance.choose([one, three]) is two
    assert balance.choose([one, two, three]) in {one, two, three}
