"""One table, exported and not: the real engines decide as this proxy does, on the wire and in the browser's eyes."""

import contextlib
import sys
from typing import NamedTuple

import pytest

from corsproxy.config.load import load_config
from corsproxy.conformance.engines import Engine, free_port, running
from corsproxy.tools.exporting.features import Feature
from corsproxy.tools.exporting.routes import routes_of
from corsproxy.tools.exporting.targets import TARGETS
from tests.engines import installed
from tests.tools.exporting.alike import Answered, Client, upstream
from tests.tools.exporting.tables import EVERYWHERE, EXPOSED, KNOWN, PAGES, ROWS, TABLE

OURSELVES = Engine(
    name="corsproxy",
    title="corsproxy",
    find=lambda: sys.executable,
    install="",
    file="corsproxy.yaml",
    serve=lambda python, file, _: [python, "-m", "corsproxy", "serve", "-c", str(file), "--access-log", "off"],
    check=lambda python, file, _: [python, "-m", "corsproxy", "check", "-c", str(file)],
    version=(),
)


class Ours(NamedTuple):
    """What this proxy makes of every row and page."""

    table: str
    rows: list[Answered]
    pages: list


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    with upstream() as api:
        table = TABLE.replace("{upstream}", str(api)).replace("{dead}", str(free_port()))
        port = free_port()
        text = table.format(port=port)
        folder = tmp_path_factory.mktemp("corsproxy")
        with running(OURSELVES, text, ("127.0.0.1", port), folder), contextlib.closing(Client(port)) as client:
            answers, pages = [client.ask(row) for row in ROWS], [client.fetch(page) for page in (*PAGES, *EXPOSED)]
        yield Ours(table, answers, pages)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_the_engine_decides_alike(name, ours, tmp_path):
    engine, port = installed(name), free_port()
    exported = TARGETS[name].render(routes_of(load_config(ours.table.format(port=port), "config.yaml", {})))
    with running(engine, exported, ("127.0.0.1", port), tmp_path), contextlib.closing(Client(port)) as client:
        rows = [(row, differs(mine, client.ask(row))) for row, mine in zip(ROWS, ours.rows, strict=True)]
        asked = (*PAGES, *EXPOSED) if Feature.EXPOSES_ALL in TARGETS[name].kept else PAGES
        pages = [(page, mine, client.fetch(page)) for page, mine in zip(asked, ours.pages, strict=False)]
    known = EVERYWHERE | KNOWN[name]
    odd = {str(row): found for row, found in rows if found}
    found = [f"{row}: {difference}" for row, difference in odd.items() if row not in known]
    found += [f"{page}: {mine} there {other}" for page, mine, other in pages if seen(mine) != seen(other)]
    assert found == [], "\n".join(found)
    assert set(odd) == set(known)  # what is known is true


def differs(ours: Answered, theirs: Answered) -> str:
    """Where two answers differ, as far as anybody can tell; the status of a failure is each engine's own."""
    if ours.status in (502, 503, 504) and theirs.status in (502, 503, 504):
        theirs = theirs._replace(status=ours.status)
    pairs = zip(Answered._fields[:5], ours[:5], theirs[:5], strict=True)
    return "; ".join(f"{name}: {mine} there {other}" for name, mine, other in pairs if mine != other)


def seen(fetched):
    """What a page can tell: whether it may read the answer, which of the upstream's headers, and timings."""
    headers = {name for name, _ in fetched.response.headers if name.startswith(b"x-")} if fetched.response else None
    return fetched.verdict.allowed, headers, fetched.timing
