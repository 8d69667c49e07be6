"""``corsproxy explain``: why a browser keeps an answer from a page, and what to change."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from corsproxy.cli.config_file import STANDARD_INPUT, file_option, read_written

if TYPE_CHECKING:
    from corsproxy.tools.pasted.questions import Send


@click.command()
@click.argument("what", required=False)
@file_option(required=False, text="The rule table (YAML) that decides.")
@click.option("--origin", metavar="ORIGIN", default="", help="The page's origin, where the input does not name it.")
@click.option(
    "--method", metavar="METHOD", default="GET", show_default=True, help="What the page asks with; for a URL."
)
@click.option(
    "--header",
    "headers",
    metavar="NAME[: VALUE]",
    multiple=True,
    help="A header that the page sets; for a URL. Again for more.",
)
@click.option("--credentials", is_flag=True, help="The page sends cookies (credentials: 'include'); for a URL.")
@click.option("--live", is_flag=True, help="Send the preflight and the request, and explain what really comes back.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def explain(
    what: str | None,
    file: str | None,
    origin: str,
    method: str,
    headers: tuple[str, ...],
    credentials: bool,
    live: bool,
    as_json: bool,
) -> None:
    """Say why the browser said no: in its own words, step by step, with the line to change.

    WHAT is one of these; without it, or as -, it is read from standard input:

    \b
        a URL                      --origin, --method, --header, --credentials say the rest
        a message of the console   of Chromium, Firefox or Safari, pasted whole
        a call                     fetch(...), XMLHttpRequest, axios, or curl ("Copy as fetch", "Copy as cURL")
        a HAR file                 its name, or its text

    \b
        corsproxy explain -c config.yaml --origin http://localhost:5173 http://localhost:8080/api
        corsproxy explain -c config.yaml "Access to fetch at 'http://localhost:8080/api' from origin ..."
        corsproxy explain --live --origin https://app.example.com https://api.example.com/orders

    Without -c and --live, a message is explained by itself, with what the server has to answer.  Exits with 1 when
    something is blocked, unclear, or was not understood.
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart
    from corsproxy.tools.explaining.live import NoAnswer  # noqa: PLC0415  # --help needs none of them
    from corsproxy.tools.pasted.questions import NotUnderstood, Told, answer, read_questions  # noqa: PLC0415

    config = read_written(file) if file else None
    told = Told(origin, method, headers, credentials)
    explanations, failed = [], False
    for question in read_questions(_text(what), told):
        try:
            explanations.append(answer(question, config, _live() if live else None))
        except (NotUnderstood, NoAnswer) as error:  # of a HAR file there are others
            click.echo(str(error), err=True)
            failed = True
    if as_json:
        from corsproxy.tools.explaining.as_json import as_json as plain  # noqa: PLC0415

        click.echo(json.dumps([plain(explanation) for explanation in explanations], indent=2))
    else:
        from corsproxy.cli.explanation_text import print_explanations  # noqa: PLC0415

        print_explanations(explanations)
    sys.exit(failed or any(explanation.blocked or explanation.unclear for explanation in explanations))


def _text(what: str | None) -> str:
    """The input: standard input, a file that was named, or the argument itself."""
    if what is None or what == STANDARD_INPUT:
        return sys.stdin.read()
    if not what.endswith(".har"):
        return what
    from corsproxy.tools.har import UnreadableHar  # noqa: PLC0415

    try:
        return Path(what).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableHar(f"{what} cannot be read ({error}); name a HAR file") from None


def _live() -> Send:
    from corsproxy.tools.explaining.live import send  # noqa: PLC0415

    return send
