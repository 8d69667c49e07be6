"""The vectors, run once against each lane of this proxy; what came of it is looked at by several tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache

import pytest

from corsproxy.conformance.load import Suite, bundled
from corsproxy.conformance.report import Report
from corsproxy.conformance.runner import run
from corsproxy.conformance.target import Target
from corsproxy.conformance.targets import target_named
from tests.conformance.careless import Careless, Plain, Unable

Run = Callable[[str], Report]

WRONG: dict[str, type[Target]] = {"careless": Careless, "plain": Plain, "unable": Unable}


@pytest.fixture(scope="session")
def suite() -> Suite:
    return bundled()


@pytest.fixture(scope="session")
def report(suite: Suite) -> Run:
    """The report of a target, by its name; each is run once."""

    @cache
    def of(name: str) -> Report:
        target = WRONG[name]() if name in WRONG else target_named(name)
        return asyncio.run(run(target, suite, suite.vectors))

    return of
