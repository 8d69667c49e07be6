"""``corsproxy learn``: the rule table that recorded traffic asks for."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from corsproxy.cli.config_file import STANDARD_INPUT, STANDARD_INPUT_NAME, file_option, read_written
from corsproxy.cli.learning_options import trust_option
from corsproxy.cli.one_api import TEXTS
from corsproxy.cli.style import print_problems, wants_colour
from corsproxy.errors import CorsproxyError, InvalidConfig

if TYPE_CHECKING:
    from corsproxy.cors.pattern import Pattern
    from corsproxy.tools.learning.evidence import Evidence
    from corsproxy.tools.learning.proposal import Basis, Proposal
    from corsproxy.tools.learning.sources import Traffic


class NotWritten(CorsproxyError):
    """There is a change, and no way to make it."""


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="TRAFFIC...")
@file_option(required=False, text="The present rule table (YAML); left out, or where there is none yet: a new one.")
@click.option(
    "--upstream",
    metavar="URL",
    default="",
    envvar="CORSPROXY_UPSTREAM",
    show_envvar=True,
    help="Where rules lead that there are not yet: an address, or the name of an upstream in FILE.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    type=TEXTS,
    metavar="NAME",
    envvar="CORSPROXY_HOST",
    show_envvar=True,
    help="In a HAR file, the host (or host:port) that is this proxy, or the API before there is one; again for more.",
)
@trust_option
@click.option("--write", is_flag=True, envvar="CORSPROXY_WRITE", show_envvar=True, help="Write the change into FILE.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def learn(
    sources: tuple[str, ...],
    file: str | None,
    upstream: str,
    hosts: tuple[str, ...],
    trusted: tuple[Pattern, ...],
    write: bool,
    as_json: bool,
) -> None:
    """Propose the smallest rule table under which recorded traffic works.

    TRAFFIC is any number of HAR files and of access logs in JSON (serve --access-log json), or - for standard input.
    With -c the change of FILE is shown, each entry with how often it was seen, by whom and when; nothing that FILE
    allows is taken away.  What looks like an attack is named, and left out.  Without -c a whole new table is printed.

    \b
        corsproxy learn -c config.yaml traffic.har access.jsonl
        corsproxy learn -c config.yaml --write access.jsonl
        corsproxy learn --upstream https://api.example.com traffic.har > config.yaml

    Exits with 0 when there is nothing to change, or it was written; with 1 when there is a change that was not; with 2
    when FILE cannot be used, or TRAFFIC cannot be read.
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart
    _check_usage(file, upstream, sources, write=write)
    from corsproxy.cli.learning_text import as_json as plain  # noqa: PLC0415  # --help needs none of them
    from corsproxy.tools.learning.evidence import Evidence  # noqa: PLC0415
    from corsproxy.tools.learning.places import Places  # noqa: PLC0415
    from corsproxy.tools.learning.proposal import propose  # noqa: PLC0415
    from corsproxy.tools.learning.sources import Traffic  # noqa: PLC0415

    try:
        basis = _basis(file, upstream, trusted)
        table = basis.config.compiled.table if basis.config else None
        evidence, traffic = Evidence(Places(table)), Traffic(_hosts(hosts, basis))
        for source in sources:
            _read(source, traffic, evidence)
        proposal = propose(evidence.kinds(), basis)
    except InvalidConfig as invalid:
        print_problems(invalid.problems)
        raise SystemExit(2) from None  # 1 says that there is a change
    notes = [*traffic.notes, *evidence.notes]
    written = write and proposal.changed
    if written and file:
        _write(file, proposal.after)
    if as_json:
        click.echo(json.dumps(plain(proposal, notes, written=written), indent=2))
    else:
        _print(proposal, notes, file, written=written)
    sys.exit(bool(file) and proposal.changed and not written)


def _check_usage(file: str | None, upstream: str, sources: tuple[str, ...], *, write: bool) -> None:
    if not file and not upstream:
        raise click.UsageError("nothing says where rules lead; give -c FILE, or --upstream URL for a new table")
    if write and file in {None, STANDARD_INPUT}:
        raise click.UsageError("there is no file to write to; name one with -c, or leave --write out")
    if [file, *sources].count(STANDARD_INPUT) > 1:
        raise click.UsageError("standard input can be read once; name files for the rest")


def _basis(file: str | None, upstream: str, trusted: tuple[Pattern, ...]) -> Basis:
    from corsproxy.tools.learning.proposal import Basis  # noqa: PLC0415  # --help does not need it

    if file and (not upstream or file == STANDARD_INPUT or Path(file).exists()):
        return Basis(read_written(file), upstream, trusted)
    return Basis(None, upstream, trusted, file or "config.yaml", dict(os.environ))


def _hosts(named: tuple[str, ...], basis: Basis) -> frozenset[str]:
    """The hosts that a HAR file's requests are for: those that were named, else those of rules and upstreams."""
    if named:
        return frozenset(named)
    from urllib.parse import urlsplit  # noqa: PLC0415  # --help does not need it

    rules = basis.config.compiled.table.rules if basis.config else ()
    addresses = [str(endpoint) for rule in rules for endpoint in rule.upstream.endpoints]
    hosts = {urlsplit(address).netloc for address in (*addresses, basis.upstream)}
    return frozenset({*filter(None, hosts), *(rule.host for rule in rules if rule.host)})


def _read(source: str, traffic: Traffic, evidence: Evidence) -> None:
    """Read one source; ends the program where it is none."""
    from corsproxy.http.answers import printable  # noqa: PLC0415  # --help does not need it
    from corsproxy.tools.learning.sources import UnreadableTraffic  # noqa: PLC0415

    try:
        if source == STANDARD_INPUT:
            _add(traffic.read(sys.stdin, STANDARD_INPUT_NAME), evidence)
            return
        with Path(source).open(encoding="utf-8", errors="replace") as lines:
            _add(traffic.read(lines, printable(Path(source).name)), evidence)
    except UnreadableTraffic as unreadable:
        raise click.UsageError(str(unreadable)) from None
    except OSError as error:
        raise click.UsageError(f"{source} cannot be read ({error.strerror}); name a HAR file or a log") from None


def _add(seen: Iterable[Any], evidence: Evidence) -> None:
    for one in seen:
        evidence.add(one)


def _write(file: str, text: str) -> None:
    try:
        Path(file).write_bytes(text.encode())
    except OSError as error:
        raise NotWritten(f"{file} cannot be written ({error.strerror}); nothing has changed") from None


def _print(proposal: Proposal, notes: list[str], file: str | None, *, written: bool) -> None:
    """With a file the diff, without one the table itself; what is said about it then stands on standard error."""
    from corsproxy.cli.learning_text import diff_lines, remark_lines  # noqa: PLC0415  # --help does not need it

    remarks = list(remark_lines(proposal, notes))
    if not file:
        click.echo(proposal.after, nl=False)
        for line in remarks:
            click.echo(line, err=True, color=wants_colour(sys.stderr))
        return
    for line in [*diff_lines(proposal), *([""] if proposal.changed and remarks else []), *remarks]:
        click.echo(line, color=wants_colour(sys.stdout))
    if written:
        click.echo(f"\nwritten to {file}")
    elif proposal.changed:
        click.echo("\nnothing was written; --write puts this change into the file")
    else:
        click.echo("nothing to change")
