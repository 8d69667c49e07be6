"""Which event loop a test runs on, which lane an end-to-end test, and what is set up once for several folders."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping

import pytest

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
try:
    import uvloop
except ImportError:  # there is none on Windows
    PRODUCTION = "asyncio"
else:
    PRODUCTION = "uvloop"
    LOOPS["uvloop"] = uvloop.new_event_loop


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--loop",
        choices=[*LOOPS, "each"],
        default=PRODUCTION,
        help="the event loop of the end-to-end tests; the one that `serve` uses by default",
    )
    parser.addoption(
        "--lane",
        choices=["themes", "fast", "ordinary", "each"],
        default="themes",
        help="the lane of the end-to-end tests; by default what could tell the lanes apart runs on both",
    )


@pytest.fixture(scope="session", autouse=True)
def thawed() -> Iterator[None]:
    """Servers start by the thousand in this one process, and what each froze would never be collected: gigabytes at
    the end, and seconds for each collection of the rest.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gc, "freeze", lambda: None)
        yield


@pytest.fixture(scope="session")
def django_ready(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Django, configured, with its data base: it can be done once in a process."""
    from tests.apps import django_site  # noqa: PLC0415  # few tests need it

    django_site.configure(tmp_path_factory.mktemp("django"))


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """End-to-end tests and real applications run on the production loop, or on each; all others on the standard one."""
    if not {"e2e", "apps"}.intersection(item.path.parts):
        return {"asyncio": LOOPS["asyncio"]}
    wanted: str = config.getoption("--loop")
    return LOOPS if wanted == "each" else {wanted: LOOPS[wanted]}
