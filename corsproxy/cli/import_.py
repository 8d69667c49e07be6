"""``corsproxy import``: the way in, from somebody else's CORS configuration to a rule table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from corsproxy.cli.output import write_output
from corsproxy.errors import Problem

if TYPE_CHECKING:
    from corsproxy.tools.importing.imported import Imported

_APPLICATIONS: Final = ("express-cors", "flask-cors")
_SOURCES: Final = (*_APPLICATIONS, "gateway-api", "nginx")


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--from", "source", type=click.Choice(_SOURCES), required=True, help="What kind of file it is.")
@click.option("--upstream", metavar="URL", help="Where the application answers; for flask-cors and express-cors.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write the table there.  [default: print it]")
def import_(file: str, source: str, upstream: str | None, output: str | None) -> None:
    """Read somebody else's CORS configuration, and write the rule table that says the same.

    What cannot be read reliably is listed on standard error with its line, and is never guessed; so is every rule that
    takes more than what it was read from.  Exits with 0 if all of it was read, and with 1 if something is listed.
    Nothing of the file is run.

    \b
        corsproxy import --from nginx /etc/nginx/nginx.conf -o config.yaml
        corsproxy import --from flask-cors app.py --upstream http://localhost:5000
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart
    if (source in _APPLICATIONS) != bool(upstream):
        needed = "says nothing of where the application answers; add" if source in _APPLICATIONS else "has no use for"
        raise click.UsageError(f"--from {source} {needed} --upstream")
    imported, text = _read(file, source, upstream or "")
    for line, message, place in sorted(imported.remarks, key=lambda remark: (remark.file, remark.line)):
        click.echo(str(Problem(place or file, line, 1, message)), err=True)
    if text and output:
        write_output(output, text.encode(), "--output")
    else:
        click.echo(text, nl=False)
    if not text:
        click.echo(f"{file}: nothing of CORS that can be read; write a policy with docs/migrate.md", err=True)
    sys.exit(bool(imported.remarks) or not text)


def _read(file: str, source: str, upstream: str) -> tuple[Imported, str]:
    from corsproxy.tools.importing.imported import Imported, Unreadable  # --help does not need them
    from corsproxy.tools.importing.rule_table import as_config

    try:
        imported = _reader(source, upstream)(file)
    except Unreadable as reason:
        imported = Imported()
        imported.tell(0, str(reason))
    except ModuleNotFoundError as missing:
        raise click.ClickException(f"{missing.name} is not installed; pip install 'corsproxy[import]'") from None
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file} cannot be read: {error}") from None
    return imported, as_config(imported, Path(file).name)


def _reader(source: str, upstream: str) -> Callable[[str], Imported]:
    """What reads a file of this kind; each has its parser, which only it needs."""
    # ruff: noqa: PLC0415
    if source == "nginx":
        from corsproxy.tools.importing.nginx import read_nginx

        return read_nginx
    if source == "gateway-api":
        from corsproxy.tools.importing.gateway_api import read_gateway_api

        return lambda file: read_gateway_api(_text(file))
    if source == "flask-cors":
        from corsproxy.tools.importing.flask_cors import read_flask_cors

        return lambda file: read_flask_cors(_text(file), upstream)
    from corsproxy.tools.importing.express_cors import read_express_cors

    return lambda file: read_express_cors(_text(file), upstream)


def _text(file: str) -> str:
    return Path(file).read_text(encoding="utf-8")
