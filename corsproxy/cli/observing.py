"""Who observes the exchanges of ``corsproxy serve``: the access log on standard output, and OpenTelemetry.

Whatever writes or exports has a thread, and those do not survive a fork: so all of this is made in the process that
serves, and what is left is written before that process ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from corsproxy.cli.drift_comment import DriftComment
from corsproxy.cli.exchange_lines import ExchangePrinter
from corsproxy.cli.style import wants_colour
from corsproxy.cors.decision import Decision
from corsproxy.cors.words import advice
from corsproxy.server.access_log import JsonLog, Sample
from corsproxy.server.log_writer import LogWriter
from corsproxy.server.observers import Both, Notable

if TYPE_CHECKING:
    from corsproxy.proxy.exchange import Observer
    from corsproxy.server.tracing import Spans

Advise = Callable[[Decision, str], str]


@contextmanager
def observed(form: str, share: float, spans: type[Spans] | None, advise: Advise = advice) -> Iterator[Observer]:
    """The access log in the form that was asked for, and spans if there are to be any."""
    with log_to_stdout(form, share, advise) as printer:
        log: Observer = Notable(printer) if form == "off" else printer
        if spans is None:
            yield log
            return
        made = spans()
        try:
            yield Both(log, made)
        finally:
            made.close()


@contextmanager
def log_to_stdout(form: str, share: float = 1, advise: Advise = advice) -> Iterator[ExchangePrinter | JsonLog]:
    """The access log alone; ``advise`` says how to allow what was denied.

    What is left of it at the end is written, if somebody reads.
    """
    sample = Sample(share) if form != "off" else None
    writer = LogWriter(sys.stdout)
    printer: ExchangePrinter | JsonLog
    if form == "json":
        printer = JsonLog(writer, sample)
        writer.dropped_line = printer.dropped
    else:
        colour = wants_colour(sys.stdout)
        printer = ExchangePrinter(writer, colour=colour, sample=sample, advise=advise, comment=DriftComment())
    try:
        yield printer
    finally:
        writer.close()


def wanted_spans(environment: Mapping[str, str] = os.environ) -> type[Spans] | None:
    """What makes spans, where the environment asks for it; says so where it cannot be had."""
    if not wants_spans(environment):
        return None
    try:
        from corsproxy.server.tracing import Spans  # noqa: PLC0415  # an extra, and slow to import
    except ImportError:
        click.echo("OTEL_* is set, and nothing is exported without: pip install 'corsproxy[otel]'", err=True)
        return None
    return Spans


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
