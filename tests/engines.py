"""Which engines are here: a test with one that is missing is skipped with the reason, and fails on CI."""

from __future__ import annotations

import os

import pytest

from corsproxy.conformance.engines import ENGINES, Engine


def installed(name: str) -> Engine:
    """The engine; skips the test where it is not installed."""
    engine = ENGINES[name]
    if missing := engine.missing():
        if os.environ.get("CI") == "true":  # nothing may be skipped unseen there
            pytest.fail(missing)
        pytest.skip(missing)
    return engine
