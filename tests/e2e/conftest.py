"""Which lane an end-to-end test runs on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from corsproxy.proxy.lanes import FastDownstream
from corsproxy.proxy.listener import Downstream
from tests.e2e import rig

LANES = {"fast": FastDownstream, "ordinary": Downstream}

# What could tell one lane from the other on the wire; these run on both, all others on the lane that `serve` uses.
WIRE = {
    *("test_bodies", "test_broken_transfers", "test_bug_classes", "test_connection_reuse", "test_conversations"),
    *("test_cors_on_the_wire", "test_cut_answers", "test_disconnect", "test_drain", "test_every_limit"),
    *("test_exchange_records", "test_forwarded", "test_forwarding", "test_framing_attacks", "test_http_1_0"),
    *("test_interim_answers", "test_limits", "test_mutations", "test_obfuscations", "test_own_answers"),
    *("test_preflights", "test_streaming", "test_upgrade", "test_upstream_faults", "test_websocket"),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    wanted: str = metafunc.config.getoption("--lane")
    if wanted == "themes":
        wanted = "each" if metafunc.module.__name__.rpartition(".")[2] in WIRE else "fast"
    chosen = [*LANES] if wanted == "each" else [wanted]
    metafunc.fixturenames.append("lane")
    metafunc.parametrize("lane", chosen, indirect=True, ids=chosen)


@pytest.fixture
def lane(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every proxy of the test has this lane."""
    rig.connections = LANES[request.param]
    yield
    rig.connections = None
