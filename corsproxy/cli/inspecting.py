"""The inspector of a command: what records, what is mounted on the admin listener, and the URL that is printed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import click

from corsproxy.cli.config_file import STANDARD_INPUT, read_written
from corsproxy.cors.words import advice
from corsproxy.errors import InvalidConfig
from corsproxy.tools.inspector.details import Advise, Known
from corsproxy.tools.inspector.recorder import Recorder
from corsproxy.tools.inspector.replay import Door
from corsproxy.tools.inspector.routes import PREFIX, Inspector

if TYPE_CHECKING:
    from aiohttp import web

    from corsproxy.config.load import Compiled
    from corsproxy.proxy.exchange import Exchange, Observer
    from corsproxy.server.process import Server
    from corsproxy.server.run import Observing
    from corsproxy.tools.written_config import WrittenConfig

ADMIN: Final = "127.0.0.1:0"  # where a developer's proxy shows it: on this machine, at whatever port is free

_SHORTEST: Final = 16  # characters of a token that is given
_BYTES: Final = 16  # of a token that is made up


def no_config() -> WrittenConfig | None:
    """There is no file that a change could be made in."""
    return None


class Inspection:
    """An inspector that waits for its server.

    ``config`` reads the file that the rules come from; ``advise`` says how to allow what was denied where there is
    none; ``credentials``: whether a replay may carry those that were recorded, as on a developer's own machine.
    """

    def __init__(
        self,
        token: str,
        *,
        credentials: bool,
        config: Callable[[], WrittenConfig | None] = no_config,
        advise: Advise = advice,
    ) -> None:
        self.config = config
        self._token = token
        self._credentials = credentials
        self._advise = advise
        self._recorder = Recorder()
        self._server: Server | None = None

    def beside(self, observe: Observer) -> Observer:
        """An observer that records, too."""
        recorder = self._recorder

        def both(exchange: Exchange) -> None:
            recorder(exchange)
            observe(exchange)

        return both

    def beside_those(self, observing: Observing) -> Observing:
        """The same for who observes in a process, once it is known who does."""

        @contextmanager
        def both() -> Iterator[Observer]:
            with observing() as observe:
                yield self.beside(observe) if observe is not None else self._recorder

        return both

    def mount(self, application: web.Application, server: Server) -> None:
        """Add the pages to the admin listener of a server."""
        self._server = server

        def known() -> Known:
            return Known(server.table, self.config(), self._advise)

        def door() -> Door | None:
            return _door(server, credentials=self._credentials)

        Inspector(self._recorder, self._token, known, door).mount(application)

    @property
    def page(self) -> str:
        """Where a browser finds it, once it is mounted."""
        return f"{self._server.admin_names[0]}{PREFIX}/" if self._server is not None else ""

    @property
    def url(self) -> str:
        """The same with the token: whoever has it is let in."""
        return f"{self.page}#token={self._token}"


def _door(server: Server, *, credentials: bool) -> Door | None:
    """The first TCP listener, as this process reaches it."""
    for name in server.names:
        scheme, colons, rest = name.partition("://")
        if colons and (host := rest.rpartition(":")[0]):
            return Door(host.strip("[]"), int(rest.rpartition(":")[2]), scheme == "https", credentials)
    return None


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(_BYTES)


def inspection_of(file: str, compiled: Compiled, token: str, workers: int, advise: Advise) -> Inspection:
    """The inspector of ``serve``; raises UsageError where it cannot be had."""
    if compiled.admin is None:
        raise click.UsageError("the inspector is a page of the admin listener; set admin:, or leave its token out")
    if len(token) < _SHORTEST:
        raise click.UsageError(f"the inspector's token is too short; take {_SHORTEST} random characters or more")
    if workers > 1:
        raise click.UsageError("the inspector sees one process; leave --workers or the inspector's token out")

    def written() -> WrittenConfig | None:
        """The file as it is now, if it is one that could be served."""
        if file in {"", STANDARD_INPUT}:
            return None
        with suppress(InvalidConfig):
            return read_written(file)
        return None

    return Inspection(token, credentials=False, config=written, advise=advise)
