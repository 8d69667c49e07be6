"""``corsproxy serve``: the rule table of a file, served."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from corsproxy.cli.exchange_lines import ExchangePrinter
from corsproxy.cli.source import Source, source_options
from corsproxy.cli.style import print_warnings, wants_colour
from corsproxy.server.access_log import JsonLog, Sample
from corsproxy.server.log_writer import LogWriter
from corsproxy.server.run import run

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled
    from corsproxy.proxy.exchange import Exchange, Observer
    from corsproxy.server.process import Server

_REMEDIES = {
    errno.EADDRINUSE: "stop what listens there, or choose another address",
    errno.EADDRNOTAVAIL: "choose an address of this machine",
    errno.EACCES: "choose an address that this user may listen on",
}


@click.command()
@source_options
@click.option(
    "--access-log",
    "form",
    type=click.Choice(["off", "text", "json"]),
    envvar="CORSPROXY_ACCESS_LOG",
    show_envvar=True,
    default="text",
    show_default=True,
    help="A line per exchange on standard output, for people or as JSON; off: denials alone, once per cause.",
)
@click.option(
    "--access-log-sample",
    "share",
    type=click.FloatRange(0, 1),
    envvar="CORSPROXY_ACCESS_LOG_SAMPLE",
    show_envvar=True,
    default=1.0,
    show_default=True,
    metavar="SHARE",
    help="How many of the exchanges are logged, from 0 to 1; errors and denials always are.",
)
def serve(source: Source, form: str, share: float) -> None:
    """Serve the rule table of a configuration file, or one API by flags alone.

    Nothing starts when the configuration is invalid: every problem is printed with its line or its variable, and the
    exit code is 1.  SIGTERM or SIGINT ends it after the requests in flight, at once when there are none.  Where neither
    -c nor --upstream is given, /etc/corsproxy/config.yaml is read.

    \b
        corsproxy serve -c config.yaml
        CORSPROXY_CONFIG=/etc/corsproxy/config.yaml corsproxy serve --access-log json
        corsproxy serve --upstream http://127.0.0.1:8000 --allow-origin https://app.example.com
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart
    compiled = source.read()
    print_warnings(compiled.warnings)
    with log_to_stdout(form, share) as printer:

        def say_started(server: Server) -> None:
            printer.say(f"listening on {', '.join(server.names)}")
            if server.admin_names:
                printer.say(f"admin on {', '.join(server.admin_names)}")

        with spans_as_well(printer) as observe:
            serve_compiled(compiled, observe, say_started)


@contextmanager
def spans_as_well(observe: Observer) -> Iterator[Observer]:
    """Whoever observes, and OpenTelemetry where its environment variables ask for it."""
    if not wants_spans(os.environ):
        yield observe
        return
    try:
        from corsproxy.server.tracing import Spans  # noqa: PLC0415  # an extra, and slow to import
    except ImportError:
        click.echo("OTEL_* is set, and nothing is exported without: pip install 'corsproxy[otel]'", err=True)
        yield observe
        return
    spans = Spans()

    def both(exchange: Exchange) -> None:
        observe(exchange)
        spans(exchange)

    try:
        yield both
    finally:
        spans.close()


def wants_spans(environment: Mapping[str, str]) -> bool:
    """Whether the standard variables of OpenTelemetry ask for traces by OTLP.

    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/; without an exporter or an
    endpoint nothing is wanted: not every process beside a collector has to be traced.
    """
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    if exporter:
        return "otlp" in exporter.split(",")
    return bool(environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environment.get("OTEL_EXPORTER_OTLP_ENDPOINT"))


@contextmanager
def log_to_stdout(form: str, share: float) -> Iterator[ExchangePrinter | JsonLog]:
    """The access log, in the form that was asked for; what is left of it at the end is written, if somebody reads."""
    sample = Sample(share) if form != "off" else None
    writer = LogWriter(sys.stdout)
    printer: ExchangePrinter | JsonLog
    if form == "json":
        printer = JsonLog(writer, sample)
        writer.dropped_line = printer.dropped
    else:
        printer = ExchangePrinter(writer, colour=wants_colour(sys.stdout), sample=sample)
    try:
        yield printer
    finally:
        writer.close()


def serve_compiled(compiled: Compiled, observe: Observer, started: Callable[[Server], None]) -> None:
    """Run until a signal; says why and exits with 1 when an address cannot be listened on."""

    def say(server: Server) -> None:
        started(server)
        _warn_of_unverified(compiled)

    try:
        run(compiled, observe, say)
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
