"""``corsproxy serve``: the rule table of a file, served."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from corsproxy.cli.exchange_lines import ExchangePrinter
from corsproxy.cli.source import Source, source_options
from corsproxy.cli.style import print_warnings, wants_colour
from corsproxy.server.run import run

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled
    from corsproxy.server.process import Server

_REMEDIES = {
    errno.EADDRINUSE: "stop what listens there, or choose another address",
    errno.EADDRNOTAVAIL: "choose an address of this machine",
    errno.EACCES: "choose an address that this user may listen on",
}


@click.command()
@source_options
@click.option(
    "--access-log/--no-access-log",
    envvar="CORSPROXY_ACCESS_LOG",
    show_envvar=True,
    default=True,
    show_default=True,
    help="A line per exchange on standard output; denials are always printed, once per cause.",
)
def serve(source: Source, access_log: bool) -> None:
    """Serve the rule table of a configuration file, or one API by flags alone.

    Nothing starts when the configuration is invalid: every problem is printed with its line or its variable, and the
    exit code is 1.  SIGTERM or SIGINT ends it after the requests in flight, at once when there are none.  Where neither
    -c nor --upstream is given, /etc/corsproxy/config.yaml is read.

    \b
        corsproxy serve -c config.yaml
        CORSPROXY_CONFIG=/etc/corsproxy/config.yaml corsproxy serve --no-access-log
        corsproxy serve --upstream http://127.0.0.1:8000 --allow-origin https://app.example.com
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart
    compiled = source.read()
    print_warnings(compiled.warnings)
    printer = ExchangePrinter(sys.stdout, colour=wants_colour(sys.stdout), every=access_log)

    def say_started(server: Server) -> None:
        printer.say(f"listening on {', '.join(server.names)}")
        if server.admin_names:
            printer.say(f"admin on {', '.join(server.admin_names)}")

    serve_compiled(compiled, printer, say_started)


def serve_compiled(compiled: Compiled, printer: ExchangePrinter, started: Callable[[Server], None]) -> None:
    """Run until a signal; says why and exits with 1 when an address cannot be listened on."""

    def say(server: Server) -> None:
        started(server)
        _warn_of_unverified(compiled)

    try:
        run(compiled, printer, say)
    except OSError as error:
        remedy = f"; {_REMEDIES[error.errno]}" if error.errno in _REMEDIES else ""
        click.echo(f"cannot listen: {error.strerror or error}{remedy}", err=True)
        raise SystemExit(1) from None


def _warn_of_unverified(compiled: Compiled) -> None:
    """The last line at the start, even where the warnings of the file have scrolled away."""
    names = dict.fromkeys(rule.upstream.name for rule in compiled.table.rules if not rule.upstream.tls.verify)
    for name in names:
        said = f"WARNING: the certificate of the upstream {name} is NOT verified (tls: verify: false)"
        click.secho(said, fg="red", bold=True, err=True, color=wants_colour(sys.stderr))
