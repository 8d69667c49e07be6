"""``corsproxy healthcheck``: whether a running proxy answers, for a container that has no shell and no curl."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import TYPE_CHECKING

import click

from corsproxy.cli.source import Source, source_options

if TYPE_CHECKING:
    from corsproxy.config.addresses import Listen


class _UnixConnection(HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket(AF_UNIX, SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@click.command()
@source_options
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=3600),
    default=3.0,
    show_default=True,
    envvar="CORSPROXY_TIMEOUT",
    show_envvar=True,
    help="Seconds to wait.",
)
def healthcheck(source: Source, timeout: float) -> None:
    """Ask a running proxy whether it is ready; the exit code is 0 when it is, 1 when it is not.

    The admin listener is asked for /readyz; without one, the proxy itself is asked by `OPTIONS *`.
    Where they listen is read as `corsproxy serve` reads it, from the same file, flags or variables.
    """
    compiled = source.read()
    asked = next(filter(_can_be_asked, filter(None, (compiled.admin, *compiled.listen))), None)
    if asked is None:
        click.echo("no listener can be asked from here; set admin to an address of this machine", err=True)
        raise SystemExit(1)
    listen, method, path = (asked, "GET", "/readyz") if asked is compiled.admin else (asked, "OPTIONS", "*")
    try:
        status = _ask(listen, method, path, timeout)
    except (OSError, HTTPException) as error:
        click.echo(f"the proxy does not answer ({error})", err=True)
        raise SystemExit(1) from None
    if not 200 <= status < 300:
        click.echo(f"the proxy is not ready ({status})", err=True)
        raise SystemExit(1)
    click.echo("ready")


def _can_be_asked(listen: Listen) -> bool:
    """Not where the address is a unit's affair, or a balancer's word or a certificate would have to be shown."""
    return not (listen.passed or listen.proxy_protocol or listen.tls_client_ca)


def _ask(listen: Listen, method: str, path: str, timeout: float) -> int:
    connection = _connection(listen, timeout)
    try:
        connection.request(method, path, headers={"Host": "localhost"})
        return connection.getresponse().status
    finally:
        connection.close()


def _connection(listen: Listen, timeout: float) -> HTTPConnection:
    if listen.unix_path:
        return _UnixConnection(listen.unix_path, timeout)
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104  # a name to ask, not to bind
    if listen.tls_cert:
        import ssl  # noqa: PLC0415  # rarely needed, slow to import
        from http.client import HTTPSConnection  # noqa: PLC0415

        # The certificate is for the outside's name; this asks the process next to it, by its address.
        context = ssl._create_unverified_context()  # noqa: S323, SLF001
        return HTTPSConnection(host, listen.port, timeout=timeout, context=context)
    return HTTPConnection(host, listen.port, timeout=timeout)
