"""The browser model held against the browser: what Chromium does and prints, beside what ``explain`` says.

All rows are asked in one page at once; a message of the console belongs to the row whose URL is in it.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from corsproxy.cors.check import Blocked
from corsproxy.cors.fetch import Request, WireRequest, WireResponse
from corsproxy.tools.explaining.explanation import Explanation, explain, explain_answers
from corsproxy.tools.pasted.console import read_console
from corsproxy.tools.pasted.other_messages import read_other
from corsproxy.tools.written_config import WrittenConfig
from tests.browser.oracle import CASES, Case, filled
from tests.browser.oracle_policies import POLICIES, REQUESTS, TEXT
from tests.browser.scripted import Scripted
from tests.browser.shop import PATIENCE, visiting
from tests.e2e.rig import running_proxy

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASK: Final = """
    async rows => Promise.all(rows.map(async ({url, xhr, ...options}) => {
        try {
            if (xhr) {
                const asked = new XMLHttpRequest();
                asked.open(options.method, url);
                asked.withCredentials = options.credentials === "include";
                for (const [name, value] of options.headers) asked.setRequestHeader(name, value);
                await new Promise((done, failed) => { asked.onload = done; asked.onerror = failed; asked.send(); });
                const lines = asked.getAllResponseHeaders().trim().split("\\r\\n");
                return [asked.status, lines.map(line => line.split(":")[0])];
            }
            const answer = await fetch(url, options);
            return [answer.status, [...answer.headers.keys()]];
        } catch {
            return null;
        }
    }))
"""
_NOT_THE_REASON: Final = re.compile(
    r"Failed to load resource: (?:net::ERR_FAILED|the server responded with a status of)"
)
# Of every answer, whoever wrote it; the scripted server's and the proxy's are another's.
_ITS_OWN: Final = frozenset({"content-length", "connection", "date", "server", "via"})
HOSTS: Final = 20  # Chromium opens six connections to each


class Outcome(NamedTuple):
    """What became of a row: status and names of headers that the page reads, or nothing; and what was printed."""

    read: tuple[int, frozenset[str]] | None
    printed: str


class Row(NamedTuple):
    """A request as the page makes it; ``key`` is the part of its URL that no other row has."""

    key: str
    request: Request
    initiator: str

    def options(self) -> dict[str, Any]:
        """What the script is given."""
        request = self.request
        return {
            "url": request.url,
            "xhr": self.initiator == "XMLHttpRequest",
            "method": request.method.decode(),
            "headers": [[name.decode(), value.decode()] for name, value in request.headers],
            "credentials": request.credentials.value,
            "mode": request.mode.value,
        }


async def asked(browser: Any, origin: str, rows: list[Row]) -> dict[str, Outcome]:
    """What Chromium makes of every row, by its key."""
    async with visiting(browser, origin) as visit:
        printed: dict[str, list[str]] = {row.key: [] for row in rows}

        def sort(message: Any) -> None:
            where = f"{message.text} {message.location['url']}"
            if (key := re.search(r"/row-\d+/", where)) and not _NOT_THE_REASON.match(message.text):
                printed[key[0]].append(message.text)

        visit.page.on("console", sort)
        async with asyncio.timeout(PATIENCE):
            found = await visit.page.evaluate(ASK, [row.options() for row in rows])
            await visit.console()
            while any(read is None and not printed[row.key] for row, read in zip(rows, found, strict=True)):
                await visit.page.wait_for_event("console")
        return {
            row.key: Outcome(_read(*read) if read else None, "\n".join(printed[row.key]))
            for row, read in zip(rows, found, strict=True)
        }


def _read(status: int, names: list[str]) -> tuple[int, frozenset[str]]:
    return status, frozenset(filter(None, names)) - _ITS_OWN


def foretold(explanation: Explanation) -> Outcome:
    """What the explanation says of the same."""
    response = explanation.fetched.response
    read = None
    if response is not None:
        read = _read(response.status, [name.decode().lower() for name, _ in response.headers])
    return Outcome(read, explanation.sentences.get("Chromium", ""))


# --- whatever a server answers ----------------------------------------------------------------------------------------


class Told(NamedTuple):
    """A case of this run: its row, and the server's answers by path."""

    row: Row
    answers: dict[str, tuple[WireResponse, WireResponse]]

    def send(self, wire: WireRequest) -> WireResponse:
        """The scripted server, without a socket."""
        preflight, actual = self.answers[urlsplit(wire.url).path]
        return preflight if wire.method == b"OPTIONS" else actual


def told(case: Case, number: int, origin: str, port: int) -> Told:
    """A case with the origins of this run in it."""
    key, host = f"/row-{number}/", f"oracle{number % HOSTS}"
    here, there = f"http://{host}.localhost:{port}", f"http://there.{host}.localhost:{port}"
    values = {"origin": origin, "here": here, "self": here + key, "there": there + key.rstrip("/")}
    preflight, actual, then = (filled(answer, values) for answer in (case.preflight, case.actual, case.then))
    row = Row(key, case.request(here + key, origin), case.initiator)
    return Told(row, {key: (preflight, actual), f"{key}then": (then, then)})


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def outcomes(browser, site):
    """Every case, with what Chromium has made of it."""
    origin = site.origin("app")
    async with Scripted() as server:
        cases = [told(case, number, origin, server.port) for number, case in enumerate(CASES)]
        server.answers = {path: answers for case in cases for path, answers in case.answers.items()}
        found = await asked(browser, origin, [case.row for case in cases])
    return [(case, found[case.row.key]) for case in cases]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[str(case) for case in CASES])
async def test_chromium_does_and_prints_what_is_foretold(outcomes, number):
    case, found = outcomes[number]
    explanation = explain_answers(case.row.request, case.send, initiator=case.row.initiator)
    if CASES[number].lenient:
        assert (found.read, found.printed) == ((200, frozenset()), "")
        assert (explanation.blocked, explanation.sentences.get("Chromium")) == (True, None)
        return
    assert found == foretold(explanation)
    if CASES[number].passes is not None:
        assert (found.read is not None) is CASES[number].passes
    verdict = explanation.fetched.verdict
    if complaint := read_console(found.printed):
        assert (complaint.blocked, complaint.step) == (verdict.blocked, verdict.step)
        assert (complaint.url, complaint.initiator) == (case.row.request.url, case.row.initiator)
    else:
        assert verdict.allowed or read_other(found.printed)


# The one needs another URL, the other a streamed body over HTTP/2; tests/cors/test_words.py has both as measured.
ELSEWHERE = {Blocked.SCHEME, Blocked.REDIRECT_STREAM}


async def test_every_reason_has_a_row(outcomes):
    reasons = {explain_answers(case.row.request, case.send).fetched.verdict.blocked for case, _ in outcomes}
    assert reasons == {None, *Blocked} - ELSEWHERE


# --- whatever a policy says -------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def judged(browser, site):
    """Every request under every policy, with what Chromium has made of the proxy's answer, and what was foretold."""
    origin = site.origin("app")
    async with Scripted() as upstream:
        text = TEXT.format(origin=origin, port=upstream.port)
        async with running_proxy(text) as proxy:
            config = WrittenConfig.read(text, "config.yaml", {})
            rows = []
            for policy in range(len(POLICIES)):
                for asks in REQUESTS:
                    key = f"/row-{len(rows)}/"
                    url = f"http://oracle{len(rows) % HOSTS}.localhost:{proxy.port}/p{policy}{key}"
                    rows.append(Row(key, Request(url=url, origin=origin.encode(), **asks), "fetch"))
            answer = WireResponse(200, ((b"Content-Type", b"application/json"),))  # as ``simulation.imagined``
            upstream.answers = {urlsplit(row.request.url).path: (answer, answer) for row in rows}
            found = await asked(browser, origin, rows)
    return [(explain(config, row.request), found[row.key]) for row in rows]


@pytest.mark.parametrize("asks", range(len(REQUESTS)), ids=[str(asks) for asks in REQUESTS])
@pytest.mark.parametrize("policy", range(len(POLICIES)), ids=POLICIES)
async def test_a_configuration_does_what_explain_says(judged, policy, asks):
    explanation, found = judged[policy * len(REQUESTS) + asks]
    assert found == foretold(explanation)
