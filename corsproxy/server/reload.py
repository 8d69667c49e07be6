"""Putting a changed configuration in force, and saying so: whole, or not at all.

What cannot change while the process runs is said: the sockets, which were opened when it started.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from corsproxy.errors import CorsproxyError, InvalidConfig, Problem
from corsproxy.proxy.client_tls import client_context
from corsproxy.server.tls import server_context
from corsproxy.server.watch import INTERVAL, Change, Watch

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled
    from corsproxy.server.colleagues import Alone, State
    from corsproxy.server.process import Server

log: Final = logging.getLogger("corsproxy.reload")


class Reloader:
    """Reloads a server that has no parent, one change at a time."""

    def __init__(self, server: Server, running: Compiled, watch: Watch, alone: Alone) -> None:
        self._server = server
        self._running = running
        self._watch = watch
        self._alone = alone

    async def run(self, asked: asyncio.Event, *, watching: bool) -> None:
        """Reload whenever it is asked for, and while ``watching`` when a file has changed; for ever."""
        while True:
            try:
                await asyncio.wait_for(asked.wait(), INTERVAL if watching else None)
            except TimeoutError:
                change = self._watch.look()
            else:
                asked.clear()
                change = self._watch.now()
            if change is not None:
                await self.reload(change)

    async def reload(self, change: Change) -> None:
        """Put a change in force, or say why not."""
        try:
            compiled = await asyncio.to_thread(compile_change, self._watch, change)
            prepared = self._server.prepare(compiled, change.renewed)
        except CorsproxyError as error:
            self._alone.state = refused(self._alone.state, problems(error))
            return
        self._server.put_in_force(prepared)
        self._watch.accept(compiled)
        self._alone.state = accepted(self._alone.state, self._watch, compiled, self._running)


def compile_change(watch: Watch, change: Change) -> Compiled:
    """What a change means; raises InvalidConfig."""
    content = change.content if change.content is not None else watch.source.read()
    return watch.source.compile(content)


def check_files(compiled: Compiled) -> None:
    """Load every file of TLS once, where no server is at hand to do it; raises UnusableCertificate."""
    for listen in compiled.listen:
        if listen.tls_cert:
            server_context(listen)
    for tls in dict.fromkeys(rule.upstream.tls for rule in compiled.table.rules):
        client_context(tls)


def problems(error: CorsproxyError) -> tuple[str, ...]:
    """Each problem of a refused configuration."""
    return tuple(map(str, error.problems)) if isinstance(error, InvalidConfig) else (str(error),)


def refused(state: State, reasons: Sequence[str]) -> State:
    """Say that a configuration is not put in force; the state from now on."""
    count = f"{len(reasons)} problem{'s' * (len(reasons) != 1)}"
    log.error("%s\nconfiguration refused (%s); the one before stays in force", "\n".join(reasons), count)
    return replace(state, refused_reloads=state.refused_reloads + 1, refused=tuple(reasons))


def accepted(state: State, watch: Watch, compiled: Compiled, running: Compiled) -> State:
    """Say that a configuration is in force, and what of it is not; the state from now on."""
    for warning in (*compiled.warnings, *_needs_restart(compiled, running, watch.source.file)):
        log.warning("%s", warning)
    log.info("configuration reloaded (%s)", watch.config_hash)
    return replace(state, config_hash=watch.config_hash, reloads=state.reloads + 1, refused=())


def _needs_restart(compiled: Compiled, running: Compiled, file: str) -> list[Problem]:
    return [
        Problem(file, 0, 0, f"{key} has changed, which takes effect when the proxy is started again; restart it")
        for key in ("listen", "admin")
        if getattr(compiled, key) != getattr(running, key)
    ]
