"""How many connections there are, and how many one address holds."""

from __future__ import annotations

from corsproxy.config.load import Limits
from corsproxy.proxy.occupancy import FULL, FULL_FOR_CLIENT, UNREAD, Occupancy


def occupancy_of(per_client=None, exempt=lambda peer: False, most=100):
    return Occupancy(Limits(max_connections=most, max_connections_per_client=per_client), exempt)


def entered(occupancy, *peers):
    return [occupancy.enter(peer, 1) for peer in peers]


def test_all_connections_are_counted():
    occupancy = occupancy_of(most=2)
    assert [occupancy.enter("192.0.2.1", taken) for taken in range(1, 6)] == [None, None, FULL, FULL, UNREAD]


def test_connections_of_one_address_are_counted():
    occupancy = occupancy_of(2)
    assert entered(occupancy, *["192.0.2.1"] * 5) == [None, None, FULL_FOR_CLIENT, FULL_FOR_CLIENT, UNREAD]
    assert entered(occupancy, "192.0.2.2") == [None]
    for _ in range(4):
        occupancy.leave("192.0.2.1")
    assert entered(occupancy, *["192.0.2.1"] * 2) == [None, FULL_FOR_CLIENT]


def test_who_has_left_is_forgotten():
    occupancy = occupancy_of(2)
    entered(occupancy, *["192.0.2.1"] * 3)
    for _ in range(3):
        occupancy.leave("192.0.2.1")
    assert occupancy._counts == {}


def test_trusted_proxies_and_unix_sockets_are_not_counted():
    occupancy = occupancy_of(1, lambda peer: peer == "10.0.0.1")
    for peer in ("10.0.0.1", None):
        assert entered(occupancy, *[peer] * 5) == [None] * 5
        occupancy.leave(peer)
    assert occupancy._counts == {}


def test_a_trust_that_is_withdrawn_miscounts_nobody():
    """A reload may change whose word is believed while its connections are open."""
    trusted = {"10.0.0.1"}
    occupancy = occupancy_of(1, trusted.__contains__)
    entered(occupancy, "10.0.0.1")
    trusted.clear()
    occupancy.leave("10.0.0.1")
    assert entered(occupancy, *["10.0.0.1"] * 2) == [None, FULL_FOR_CLIENT]


def test_without_a_limit_nothing_is_counted():
    occupancy = occupancy_of()
    assert entered(occupancy, *["192.0.2.1"] * 3) == [None] * 3
    assert occupancy._counts == {}
