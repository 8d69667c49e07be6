"""``corsproxy probe``: what an API does about CORS by itself."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from corsproxy.cli.one_api import TEXTS
from corsproxy.cli.options import Duration
from corsproxy.config.addresses import parse_endpoint
from corsproxy.config.written import Unusable
from corsproxy.cors.fetch import is_token
from corsproxy.cors.origin import parse_origin
from corsproxy.errors import InvalidOrigin

if TYPE_CHECKING:
    from corsproxy.tools.probing.questions import Target
    from corsproxy.tools.probing.report import Report

# What the probe itself says with a header, or the connection.
_OWN = frozenset({"host", "origin", "connection", "content-length", "transfer-encoding", "upgrade", "user-agent"})


class Lines(click.types.StringParamType):
    """A text that may hold blanks; the variable of the list holds one a line."""

    def split_envvar_value(self, rv: str) -> list[str]:
        """The entries of the variable."""
        return rv.splitlines()


@click.command()
@click.argument("url")
@click.option(
    "--origin",
    "origins",
    multiple=True,
    type=TEXTS,
    metavar="ORIGIN",
    envvar="CORSPROXY_PROBE_ORIGIN",
    show_envvar=True,
    help="The origin of a page that is meant to use the API; tricks are tried with it. Again for more.",
)
@click.option(
    "--method",
    type=click.Choice(["GET", "HEAD"]),
    default="GET",
    show_default=True,
    envvar="CORSPROXY_PROBE_METHOD",
    show_envvar=True,
    help="What to ask with, besides OPTIONS.",
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    type=Lines(),
    metavar="NAME: VALUE",
    envvar="CORSPROXY_PROBE_HEADER",
    show_envvar=True,
    help="A header to send, except with preflights: a log-in, say. It is not printed. Again for more.",
)
@click.option(
    "--fix",
    is_flag=True,
    envvar="CORSPROXY_PROBE_FIX",
    show_envvar=True,
    help="Print the rule of this proxy that puts right what was found.",
)
@click.option(
    "--watch",
    "interval",
    type=Duration(zero=False),
    is_flag=False,
    flag_value="1m",
    metavar="[INTERVAL]",
    envvar="CORSPROXY_PROBE_WATCH",
    show_envvar=True,
    help="Probe again and again, and say what changes: when it starts to send CORS headers, say.  [default: 1m]",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    envvar="CORSPROXY_PROBE_JSON",
    show_envvar=True,
    help="Print JSON, for programs; with --watch an object a line.",
)
def probe(
    url: str,
    origins: tuple[str, ...],
    method: str,
    headers: tuple[str, ...],
    fix: bool,
    interval: float | None,
    as_json: bool,
) -> None:
    """Find out what the API at URL does about CORS by itself, and who is at risk because of it.

    Some 10 requests are sent, at most 30 (and one more for each --origin): GET (or HEAD) and OPTIONS, with made-up
    origins, one after the other.  They go to the host that URL names and to no other: a redirect is reported and not
    followed.  No body is sent or read.

    \b
        corsproxy probe https://api.example.com/orders
        corsproxy probe https://api.example.com/orders --origin https://app.example.com --fix
        corsproxy probe http://localhost:8000/orders --header "Authorization: Bearer ..." --json
        corsproxy probe https://api.example.com/orders --watch 10m

    Exits with 1 when somebody is at risk (a finding of medium or high severity), or when there is no answer.
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart
    from corsproxy.tools.probing.asking import probe as ask  # noqa: PLC0415  # --help needs none of them
    from corsproxy.tools.probing.questions import Method, Target  # noqa: PLC0415

    target = Target(_url(url), tuple(map(_origin, origins)), Method(method), tuple(map(_header, headers)))
    if interval is not None:
        sys.exit(_watch(target, interval, fix=fix, as_json=as_json))
    made = asyncio.run(ask(target))
    _print(made, fix=fix, as_json=as_json)
    sys.exit(made.at_risk)


def _print(made: Report, *, fix: bool, as_json: bool) -> None:
    from corsproxy.cli import probe_text  # noqa: PLC0415  # as above

    if as_json:
        probe_text.print_json(made)
    else:
        probe_text.print_report(made)
        if fix:
            probe_text.print_rule(made)


def _watch(target: Target, interval: float, *, fix: bool, as_json: bool) -> bool:
    """Until Ctrl-C or SIGTERM; whether somebody was at risk by then, or nothing is known."""
    from corsproxy.cli.probe_text import print_changes  # noqa: PLC0415  # as above
    from corsproxy.tools.probing.asking import probe as ask  # noqa: PLC0415
    from corsproxy.tools.probing.watching import watch  # noqa: PLC0415

    last: Report | None = None

    async def watching() -> None:
        nonlocal last
        async for watched in watch(lambda: ask(target), lambda: asyncio.sleep(interval)):
            if last is None and watched.report is not None and not as_json:
                _print(watched.report, fix=fix, as_json=False)
            last = watched.report or last
            print_changes(watched, as_json=as_json)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        asyncio.run(watching())
    return last is None or last.at_risk


def _url(text: str) -> str:
    """The URL to ask, without a fragment; ends the program where it is none."""
    url = text.partition("#")[0]
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from None
    if "@" in parts.netloc:  # the text is not repeated: it holds a password
        message = "it must hold no user name or password; give --header 'Authorization: ...'"
        raise click.BadParameter(message, param_hint="URL")
    try:
        parse_endpoint(f"{parts.scheme}://{parts.netloc}")
    except Unusable as error:
        raise click.BadParameter(str(error), param_hint="URL") from None
    if not (url.isascii() and url.isprintable()) or " " in url:
        message = "it holds what no URL can; write it as the browser's address bar copies it"
        raise click.BadParameter(message, param_hint="URL")
    return url if parts.path else f"{parts.scheme}://{parts.netloc}/{f'?{parts.query}' if parts.query else ''}"


def _origin(text: str) -> str:
    try:
        return str(parse_origin(text))
    except InvalidOrigin as error:
        remedy = f"; write {error.correction}" if error.correction else ""
        raise click.BadParameter(f"{error}{remedy}", param_hint="--origin") from None


def _header(line: str) -> tuple[bytes, bytes]:
    name, colon, value = (part.strip() for part in line.partition(":"))
    own = name.lower() in _OWN or name.lower().startswith("access-control-")
    if not colon or not is_token(name.encode("utf-8")) or not (value.isascii() and value.isprintable()):
        raise click.BadParameter("it is no header; write it like 'Name: value'", param_hint="--header")
    if own:
        raise click.BadParameter(f"{name} is the probe's own to send; leave it out", param_hint="--header")
    return name.encode("ascii"), value.encode("ascii")
