"""Vectors against a target: a server for each batch of settings, many vectors at a time, a connection for each."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Self

from corsproxy.conformance.braces import LONG, filled, request_bytes
from corsproxy.conformance.conclusion import asked
from corsproxy.conformance.judge import Seen, differences, lets_in
from corsproxy.conformance.load import Suite
from corsproxy.conformance.model import Exchange, Setting, Vector
from corsproxy.conformance.report import Outcome, Report, Result
from corsproxy.conformance.target import Place, Refused, Settings, Site, Target
from corsproxy.conformance.upstream import Upstream, refusing
from corsproxy.conformance.wire import LIMIT, NotHttp, Response, read_response

PATIENCE: Final = 10.0  # seconds for an answer
QUIET: Final = 0.2  # seconds without another answer, where a vector counts them
AT_ONCE: Final = 32  # vectors


async def run(target: Target, suite: Suite, vectors: Sequence[Vector]) -> Report:
    """Run some vectors of a suite; raises Broken where the target does not come to run."""
    started = time.perf_counter()
    results = [result async for result in _results(target, suite, vectors)]
    place = {vector.id: index for index, vector in enumerate(vectors)}
    ordered = sorted(results, key=lambda result: place[result.vector.id])
    return Report(
        target=target.name,
        title=target.title,
        version=target.version(),
        notes=target.notes,
        topics=suite.topics,
        results=tuple(ordered),
        seconds=time.perf_counter() - started,
    )


async def _results(target: Target, suite: Suite, vectors: Sequence[Vector]) -> AsyncIterator[Result]:
    needed = {vector.setting: suite.settings[vector.setting] for vector in vectors}
    reasons = {name: target.cannot(setting) for name, setting in needed.items()}
    can: list[Vector] = []
    for vector in vectors:
        if reason := reasons[vector.setting] or target.cannot_ask(vector.topic):
            yield Result(vector, Outcome.CANNOT, (reason,))
        else:
            can.append(vector)
    settings = {vector.setting: needed[vector.setting] for vector in can}
    async with _site({vector.id: vector for vector in can}) as (site, upstream):
        for batch in target.batches(settings):
            for result in await _run_batch(target, batch, [v for v in can if v.setting in batch], site, upstream):
                yield result


@asynccontextmanager
async def _site(vectors: Mapping[str, Vector]) -> AsyncIterator[tuple[Site, Upstream]]:
    upstream = Upstream(vectors)
    with refusing() as nobody, tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        async with upstream.listening():
            yield Site(upstream.address, nobody, Path(folder)), upstream


async def _run_batch(
    target: Target, batch: Settings, vectors: Iterable[Vector], site: Site, upstream: Upstream
) -> list[Result]:
    """All vectors of a batch; one that is refused holds what may be refused."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(vector: Vector, place: Place, setting: Setting) -> Result:
        async with limit:
            result = await _run_vector(vector, setting, place, upstream)
            if not _lost(result):
                return result
            upstream.received(vector.id).clear()
            return await _run_vector(vector, setting, place, upstream)

    try:
        async with target.serving(batch, site) as places:
            running = [one(vector, places[vector.setting], batch[vector.setting]) for vector in vectors]
            return await asyncio.gather(*running)
    except Refused as refused:
        return [_refused(vector, batch[vector.setting], str(refused)) for vector in vectors]


def _refused(vector: Vector, setting: Setting, reason: str) -> Result:
    outcome = Outcome.HELD if setting.refusable else Outcome.CANNOT
    return Result(vector, outcome, (f"it does not start with this: {reason}",))


def _lost(result: Result) -> bool:
    """Whether a request has not come to the upstream, and the answer says so: asked again, it is judged.

    The upstream closes connections because vectors want it to, and a proxy may have chosen one of these just then.
    """
    return result.outcome is Outcome.FAILED and any(
        found.answer is not None and found.answer.status in {502, 503} and not found.received for found in result.seen
    )


async def _run_vector(vector: Vector, setting: Setting, place: Place, upstream: Upstream) -> Result:
    values = values_for(vector, setting, place, upstream.address)
    seen: list[Seen] = []
    async with _Connections(place, one=vector.one_connection) as connections:
        for exchange in vector.exchanges:
            before = len(upstream.received(vector.id))
            try:
                found = await _ask(exchange, values, *await connections.next())
                if connections.reused and found.answer is None and not found.problem:
                    # A server may end a connection between two requests; then clients ask again on another one.
                    found = await _ask(exchange, values, *await connections.renew())
                seen.append(found)
            except OSError as error:
                return Result(vector, Outcome.FAILED, (f"no connection: {error}",), tuple(seen))
            seen[-1].received = upstream.received(vector.id)[before:]
    why = tuple(differences_of(vector, seen, values, credentials=setting.policy.allow_credentials))
    if not why:
        return Result(vector, Outcome.HELD, (), tuple(seen))
    opens = any(lets_in(exchange.expect, found) for exchange, found in zip(vector.exchanges, seen, strict=True))
    return Result(vector, Outcome.FAILED, why, tuple(seen), opens)


def values_for(vector: Vector, setting: Setting, place: Place, upstream: tuple[str, int]) -> dict[str, str]:
    """What stands for the names in braces of a vector where it is run."""
    named = {
        **LONG,
        "host": place.authority,
        "root": place.prefix,
        "path": place.path or f"{place.prefix}{setting.path}/{vector.id}",
        "upstream": "{}:{}".format(*upstream),
        "id": vector.id,
    }
    return named | {name: filled(text, named) for name, text in vector.values.items()}


def differences_of(
    vector: Vector, seen: Sequence[Seen], values: Mapping[str, str], *, credentials: bool
) -> Iterator[str]:
    """What is not as expected in all exchanges of a vector."""
    for number, (exchange, found) in enumerate(zip(vector.exchanges, seen, strict=True), 1):
        where = f"request {number}: " if len(seen) > 1 else ""
        for text in differences(exchange.expect, found, values, credentials=credentials):
            yield where + text


class _Connections:
    """The connections of a vector: a new one for each exchange, or the same for all."""

    def __init__(self, place: Place, *, one: bool) -> None:
        self._place = place
        self._one = one
        self._open: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.reused = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        for _, writer in self._open:
            writer.transport.abort()

    async def next(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection of the next exchange; raises OSError."""
        self.reused = self._one and bool(self._open)
        return self._open[-1] if self.reused else await self.renew()

    async def renew(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A new connection; raises OSError."""
        place = self._place
        self._open.append(await asyncio.open_connection(place.host, place.port, ssl=place.tls, limit=LIMIT))
        return self._open[-1]


async def _ask(
    exchange: Exchange, values: Mapping[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Seen:
    """Send, and read what comes back."""
    sent = request_bytes(exchange.request, values)
    question = asked(sent)
    answer: Response | None = None
    problem, more = "", 0
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(sent)
            await _drained(writer)
            answer = await _answer(reader, question.method)
            if exchange.expect.answers is not None:
                more = await _uninvited(reader)
    except NotHttp as malformed:
        problem = f"the answer is no HTTP: {malformed}"
    except TimeoutError:
        problem = f"no answer within {PATIENCE:g} seconds"
    return Seen(sent, question, values["host"], answer, problem, more=more)


async def _drained(writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):  # it may have answered before it hung up
        await writer.drain()


async def _answer(reader: asyncio.StreamReader, method: str) -> Response | None:
    try:
        return await read_response(reader, method)
    except ConnectionError:
        return None


async def _uninvited(reader: asyncio.StreamReader) -> int:
    """How many more answers come."""
    count = 0
    try:
        async with asyncio.timeout(QUIET):
            while await _answer(reader, "GET") is not None:
                count += 1
    except TimeoutError:
        pass
    return count
