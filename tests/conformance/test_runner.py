"""The runner against servers that are wrong on purpose: the right vectors fail, for the right reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from corsproxy.conformance.braces import request_bytes
from corsproxy.conformance.choice import Unknown, chosen
from corsproxy.conformance.load import bundled
from corsproxy.conformance.process import free_port, process
from corsproxy.conformance.report import Outcome, Result
from corsproxy.conformance.runner import _lost, run
from corsproxy.conformance.target import Broken, Place, Settings, Site
from corsproxy.conformance.targets import TARGETS, target_named
from tests.conformance.careless import Plain

# target, topic, a vector that it fails, and what is said of it
FAILURES = [
    ("careless", "origins", "origin-lookalike-suffix", "request 1: a browser says allowed (credentials: include)"),
    ("careless", "patterns", "subdomain-denied-no-dot", "a browser says allowed (credentials: include)"),
    ("careless", "star", "star-no-credentials-cookie", "Access-Control-Allow-Credentials: true"),
    ("careless", "methods", "method-unlisted-patch", "a browser says allowed"),
    ("careless", "headers", "header-unlisted-one", "a browser says allowed"),
    ("careless", "preflights", "options-forwarded-plain", "the upstream got 0 requests, expected 1"),
    ("careless", "actual", "actual-denied-get", "a browser says allowed"),
    ("careless", "caches", "vary-on-origin-granted", "Vary does not name Origin"),
    ("careless", "exposure", "expose-unlisted-credentials", "the page can read X-Secret"),
    ("careless", "override", "override-granted-star", "2 Access-Control-Allow-Origin lines, expected 1"),
    ("careless", "errors", "error-of-upstream-to-stranger-401", "a browser says allowed"),
    ("careless", "answers", "answer-pipelined", "a browser says allowed"),
    ("careless", "hygiene", "duplicate-origin-stranger-first", "https://evil.example"),
    ("careless", "websocket", "websocket-denied-stranger", "status 101"),
    ("careless", "routing", "path-outside-case", "a browser says allowed"),
    ("careless", "unsafe", "unsafe-star-get", "a browser says allowed (credentials: include)"),
    ("plain", "network", "private-granted", "0 Access-Control-Allow-Private-Network lines, expected 1"),
    ("plain", "errors", "error-broken-closes", "a browser says missing-allow-origin"),
    ("plain", "answers", "answer-status-207", "0 Access-Control-Allow-Origin lines, expected 1"),
    (
        "plain",
        "preflights",
        "preflight-answered-here-upstream-401",
        "the upstream got 1 request(s), and should get none",
    ),
]


@pytest.mark.parametrize(("target", "topic", "vector", "reason"), FAILURES)
def test_a_wrong_server_fails_the_vector_that_is_about_it(report, target, topic, vector, reason):
    result = next(result for result in report(target).results if result.vector.id == vector)
    assert (result.vector.topic, result.outcome) == (topic, Outcome.FAILED)
    assert any(reason in why for why in result.why), result.why


def test_every_topic_is_failed_by_a_wrong_server(suite):
    assert {topic.name for topic in suite.topics} == {topic for _, topic, _, _ in FAILURES}


def test_what_a_target_cannot_express_is_not_asked(report):
    found = report("unable")
    cannot = {result.vector.setting: result.why for result in found.of(Outcome.CANNOT)}
    assert cannot["expression"] == ("it knows no expressions",)
    assert cannot["credentials"] == ("it does not start with this: it never starts",)


def test_what_may_be_refused_is_held_by_refusing(report):
    assert {result.vector.topic for result in report("unable").of(Outcome.HELD)} == {"unsafe"}
    assert report("unable").failed == ()


def test_scores_add_up(report):
    for name in ("careless", "unable"):
        found = report(name)
        total = found.total()
        assert total.held + total.failed + total.cannot == len(found.results)
        assert sum(score.held for score in found.scores()) == total.held


class Gone(Plain):
    """Says where it is, and is not there."""

    @asynccontextmanager
    async def serving(self, settings: Settings, site: Site) -> AsyncIterator[Mapping[str, Place]]:
        yield {name: Place(*site.refusing, "gone.test") for name in settings}


class Garbled(Plain):
    """Answers what is no HTTP."""

    @asynccontextmanager
    async def serving(self, settings: Settings, site: Site) -> AsyncIterator[Mapping[str, Place]]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin : *\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        yield {name: Place("127.0.0.1", server.sockets[0].getsockname()[1], "garbled.test") for name in settings}
        server.close()


@pytest.mark.parametrize(
    ("target", "reason"), [(Gone, "no connection: "), (Garbled, "the answer is no HTTP: not a header line")]
)
async def test_a_server_that_does_not_serve_fails(suite, target, reason):
    found = await run(target(), suite, chosen(suite, [], ["origin-listed-first"]))
    assert [result.why[0][: len(reason)] for result in found.failed] == [reason]


@pytest.mark.parametrize(
    ("text", "values", "data"),
    [
        ("GET / HTTP/1.1\nHost: a\n", {}, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("POST / HTTP/1.1\nHost: a\n\nbody", {}, b"POST / HTTP/1.1\r\nHost: a\r\n\r\nbody"),
        ("GET / HTTP/1.1\nOrigin: {origin}\n", {"origin": "a\nb"}, b"GET / HTTP/1.1\r\nOrigin: a\nb\r\n\r\n"),
        ("GET / HTTP/1.1\nOrigin: {origin}\n", {"origin": "\xff{x}"}, b"GET / HTTP/1.1\r\nOrigin: \xff{x}\r\n\r\n"),
    ],
)
def test_what_is_sent_is_exactly_what_is_written(text, values, data):
    assert request_bytes(text, values) == data


def test_a_choice_is_a_topic_a_vector_or_a_family(suite):
    assert chosen(suite, [], []) == suite.vectors
    assert {vector.topic for vector in chosen(suite, ["star", "caches"], [])} == {"star", "caches"}
    assert [vector.id for vector in chosen(suite, [], ["origin-lookalike-null"])] == ["origin-lookalike-null"]
    assert len(chosen(suite, [], ["origin-lookalike"])) > 20
    assert len(chosen(suite, ["star"], ["origin-empty"])) == len(chosen(suite, ["star"], [])) + 1


@pytest.mark.parametrize(
    ("topics", "ids", "message"),
    [
        (["cache"], [], "there is no topic 'cache'; did you mean 'caches'?"),
        ([], ["origin-empt"], "there is no vector 'origin-empt'; did you mean 'origin-empty'?"),
        ([], ["%"], "there is no vector '%'; --list names all"),
    ],
)
def test_a_choice_of_nothing_says_so(suite, topics, ids, message):
    with pytest.raises(Unknown) as unknown:
        chosen(suite, topics, ids)
    assert str(unknown.value) == message


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_says_what_it_is(name):
    target = target_named(name)
    assert target.name == name
    assert target.title
    assert target.kind in {"proxy", "library"}
    assert target.missing() or target.version()


async def test_a_process_that_does_not_listen_says_its_last_words(tmp_path):
    with pytest.raises(Broken, match="the server ended with 3: no such option"):
        async with process(["sh", "-c", "echo no such option; exit 3"], port=free_port(), folder=tmp_path):
            pass


@pytest.mark.parametrize(
    ("outcome", "status", "received", "again"),
    [
        (Outcome.FAILED, 503, [], True),  # as Envoy says that its connection was closed just then
        (Outcome.FAILED, 502, [], True),
        (Outcome.FAILED, 502, ["a request"], False),  # it came there, and what came of it is what is judged
        (Outcome.FAILED, 500, [], False),
        (Outcome.HELD, 502, [], False),
    ],
)
def test_what_was_lost_on_a_closed_connection_is_asked_again(outcome, status, received, again):
    found = SimpleNamespace(answer=SimpleNamespace(status=status), received=received)
    vector = bundled().vectors[0]
    assert _lost(Result(vector, outcome, (), (found,))) is again
