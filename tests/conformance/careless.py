"""Two servers that are wrong on purpose, on real sockets: one lets everybody do everything, one knows no CORS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress

from corsproxy.conformance.model import Setting
from corsproxy.conformance.target import Place, Refused, Settings, Site, Target
from corsproxy.conformance.wire import LIMIT, NotHttp, Received, read_request, read_response

Lines = list[tuple[str, str]]


class Plain(Target):
    """Passes everything on, and adds nothing."""

    name = "plain"
    title = "A proxy without CORS"
    notes = ("It is wrong <on purpose>.",)

    def version(self) -> str:
        return "0 & counting"

    def batches(self, settings: Settings) -> Iterator[Settings]:
        yield settings

    def added(self, request: Received) -> Lines:
        return []

    def answered_here(self, request: Received) -> bool:
        return False

    @asynccontextmanager
    async def serving(self, settings: Settings, site: Site) -> AsyncIterator[Mapping[str, Place]]:
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            tasks.add(task)
            with suppress(ConnectionError, NotHttp, asyncio.IncompleteReadError, asyncio.CancelledError):
                while request := await read_request(reader):
                    writer.write(await self._answer(request, site))
            tasks.discard(task)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=LIMIT)
        port = server.sockets[0].getsockname()[1]
        try:
            yield {name: Place("127.0.0.1", port, "careless.test") for name in settings}
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks)

    async def _answer(self, request: Received, site: Site) -> bytes:
        if self.answered_here(request):
            return head(200, [*self.added(request), ("Content-Length", "0")])
        reader, writer = await asyncio.open_connection(*site.upstream, limit=LIMIT)
        try:
            lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]
            start = f"{request.method} {request.target} HTTP/1.1"
            writer.write(message(start, lines))
            async with asyncio.timeout(0.3):
                answer = await read_response(reader, request.method)
        except TimeoutError:
            return head(504, [("Content-Length", "0")])
        finally:
            writer.close()
        if answer is None:
            return head(502, [("Content-Length", "0")])
        kept = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers]
        kept = [line for line in kept if line[0].lower() not in {"content-length", "transfer-encoding"}]
        length = [] if answer.status in {101, 204, 304} else [("Content-Length", str(len(answer.body)))]
        return head(answer.status, [*kept, *length, *self.added(request)]) + answer.body


class Careless(Plain):
    """Lets everybody do everything."""

    name = "careless"
    title = "A proxy that lets everybody in"

    def answered_here(self, request: Received) -> bool:
        return request.method == "OPTIONS"

    def added(self, request: Received) -> Lines:
        return [
            ("Access-Control-Allow-Origin", ", ".join(request.all("origin")) or "*"),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Allow-Methods", ", ".join(request.all("access-control-request-method"))),
            ("Access-Control-Allow-Headers", ", ".join(request.all("access-control-request-headers"))),
            ("Access-Control-Expose-Headers", "X-Total-Count, ETag, X-Secret"),
        ]


class Unable(Plain):
    """Cannot express some settings, and refuses others."""

    name = "unable"

    def cannot(self, setting: Setting) -> str:
        return "it knows no expressions" if setting.policy.allow_origin_regex is not None else ""

    def batches(self, settings: Settings) -> Iterator[Settings]:
        for name, setting in settings.items():
            yield {name: setting}

    @asynccontextmanager
    async def serving(self, settings: Settings, site: Site) -> AsyncIterator[Mapping[str, Place]]:
        if settings:
            raise Refused("it never starts")
        yield {}


def message(start: str, lines: Lines) -> bytes:
    return "\r\n".join([start, *(f"{name}: {value}" for name, value in lines), "", ""]).encode("latin-1")


def head(status: int, lines: Lines) -> bytes:
    return message(f"HTTP/1.1 {status} Status", lines)
