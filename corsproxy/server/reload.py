"""Putting a changed configuration in force, or in the shadow first, and saying so: whole, or not at all.

What cannot change while the process runs is said: the sockets, which were opened when it started.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from corsproxy.config.shadow import Shadow
from corsproxy.errors import CorsproxyError, InvalidConfig, Problem
from corsproxy.proxy.client_tls import client_context
from corsproxy.server.tls import server_context
from corsproxy.server.watch import INTERVAL, Change, Watch

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled
    from corsproxy.server.colleagues import Alone, State
    from corsproxy.server.process import Server

log: Final = logging.getLogger("corsproxy.reload")


class Reload(NamedTuple):
    """A change that has been compiled: what is to be put in force, and what the file means.

    The two differ where the file is ``tried``: then its table is the shadow of the one that stays in force.
    """

    compiled: Compiled
    written: Compiled
    content: bytes
    renewed: frozenset[str]
    tried: bool


class Reloads:
    """What becomes of changes, one after the other; ``shadow_first``: they are tried before they are in force.

    Then a file runs as the shadow of the table in force until a reload is asked for while it does; one that has changed
    again takes its place, and one that is in force already ends it.
    """

    def __init__(self, watch: Watch, running: Compiled, *, shadow_first: bool) -> None:
        self.watch = watch
        self._started_with = self._in_force = running
        self._shadow_first = shadow_first
        self._tried: bytes | None = None  # what the file held that runs in the shadow

    def compile(self, change: Change, *, asked: bool) -> Reload:
        """What a change means, which somebody has ``asked`` for or which was noticed; raises InvalidConfig."""
        content = change.content if change.content is not None else self.watch.source.read()
        written = self.watch.source.compile(content)
        tried = self._shadow_first and not self.watch.is_in_force(content) and not (asked and content == self._tried)
        compiled = as_shadow(self._in_force, written, self.watch.source.file) if tried else written
        return Reload(compiled, written, content, change.renewed, tried)

    def accept(self, reload: Reload, state: State) -> State:
        """A reload is in force: say so, and what of it is not; the state from now on."""
        self._in_force = reload.compiled
        if not reload.tried:
            self._tried = None
            self.watch.accept(reload.compiled)
            return accepted(state, self.watch, reload.compiled, self._started_with)
        self._tried = reload.content
        self.watch.accept_tried()
        for warning in reload.written.warnings:
            log.warning("%s", warning)
        log.info("configuration in the shadow (%s); SIGHUP puts it in force", self.watch.told_hash)
        return replace(state, shadow_config=self.watch.told_hash, refused=())


class Reloader:
    """Reloads a server that has no parent, one change at a time."""

    def __init__(self, server: Server, reloads: Reloads, alone: Alone) -> None:
        self._server = server
        self._reloads = reloads
        self._alone = alone

    async def run(self, asked: asyncio.Event, *, watching: bool) -> None:
        """Reload whenever it is asked for, and while ``watching`` when a file has changed; for ever."""
        watch = self._reloads.watch
        while True:
            try:
                await asyncio.wait_for(asked.wait(), INTERVAL if watching else None)
            except TimeoutError:
                change = watch.look()
                if change is not None:
                    await self.reload(change, asked=False)
            else:
                asked.clear()
                await self.reload(watch.now(), asked=True)

    async def reload(self, change: Change, *, asked: bool) -> None:
        """Put a change in force, or in the shadow, or say why not."""
        try:
            reload = await asyncio.to_thread(self._compiled, change, asked=asked)
            prepared = self._server.prepare(reload.compiled, reload.renewed)
        except CorsproxyError as error:
            self._alone.state = refused(self._alone.state, problems(error))
            return
        self._server.put_in_force(prepared)
        self._alone.state = self._reloads.accept(reload, self._alone.state)

    def _compiled(self, change: Change, *, asked: bool) -> Reload:
        reload = self._reloads.compile(change, asked=asked)
        if reload.tried:
            check_files(reload.written)  # what is tried must be able to come in force
        return reload


def as_shadow(running: Compiled, tried: Compiled, file: str) -> Compiled:
    """The configuration in force, with another one as its shadow in place of any that it has."""
    return replace(running, shadow=Shadow(tried.table, file=file))


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
    return replace(state, config_hash=watch.config_hash, shadow_config="", reloads=state.reloads + 1, refused=())


def _needs_restart(compiled: Compiled, running: Compiled, file: str) -> list[Problem]:
    return [
        Problem(file, 0, 0, f"{key} has changed, which takes effect when the proxy is started again; restart it")
        for key in ("listen", "admin")
        if getattr(compiled, key) != getattr(running, key)
    ]
