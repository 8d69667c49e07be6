"""``corsproxy conformance``: how much of CORS a server gets right, and what follows where it does not."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from corsproxy.cli.one_api import FLAGS
from corsproxy.cli.output import write_output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corsproxy.config.model import PolicyConfig
    from corsproxy.conformance.load import Suite
    from corsproxy.conformance.model import Vector
    from corsproxy.conformance.report import Report
    from corsproxy.conformance.target import Target

ALL: Final = "all"  # every target that can be run here
_POLICY_FLAGS: Final = {flag.key.rpartition(".")[2]: flag for flag in FLAGS if flag.key.startswith("policies.")}
_FILE: Final = click.Path(dir_okay=False, path_type=Path)


def _policy_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags of a policy, as ``serve`` has them."""
    for flag in reversed(_POLICY_FLAGS.values()):
        command = flag.option()(command)
    return command


@click.command()
@click.argument("names", metavar="[TARGET]...", nargs=-1)
@click.option("--topic", "topics", metavar="TOPIC", multiple=True, help="Only vectors of this topic; may be repeated.")
@click.option(
    "--vector", "ids", metavar="ID", multiple=True, help="Only this vector, or this family of them; may be repeated."
)
@click.option("--list", "listed", is_flag=True, help="Print the vectors and run nothing.")
@click.option("--targets", "targets", is_flag=True, help="Print the targets, and what is missing to run them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--junit", "junit_file", metavar="FILE", type=_FILE, help="Write JUnit's XML.")
@click.option("--html", "html_file", metavar="FILE", type=_FILE, help="Write a page that can be published.")
@click.option("--markdown", "markdown_file", metavar="FILE", type=_FILE, help="Renew the results in a Markdown page.")
@click.option("--url", metavar="URL", help="A server that runs already, with the policy that is stated beside it.")
@click.option("--policy", "policy_file", metavar="FILE", type=_FILE, help="Its policy: the keys of one, as YAML.")
@_policy_options
def conformance(  # noqa: PLR0913  # click passes an argument for each option
    names: tuple[str, ...],
    *,
    topics: tuple[str, ...],
    ids: tuple[str, ...],
    listed: bool,
    targets: bool,
    as_json: bool,
    junit_file: Path | None,
    html_file: Path | None,
    markdown_file: Path | None,
    url: str | None,
    policy_file: Path | None,
    **policy: object,
) -> None:
    """Put a server to the vectors: raw requests, and what has to come of them, on the wire and in a browser.

    TARGET is one of --targets, or all that can be run here; without any, this proxy is run.  Each target gets its own
    configuration for each policy, the best that it can do; what it cannot express is counted apart.

    With --url, a server that runs already gets GET, HEAD and OPTIONS: the vectors that its policy covers, with its own
    origins.  Exits with 1 when a vector fails.

    \b
        corsproxy conformance
        corsproxy conformance nginx --topic caches
        corsproxy conformance --vector origin-lookalike-suffix
        corsproxy conformance all --html conformance.html
        corsproxy conformance --url https://api.example.com/ --allow-origin https://app.example.com
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart
    from corsproxy.cli.conformance_text import print_reports, print_targets, print_vectors  # noqa: PLC0415

    if targets:
        print_targets()
        return
    suite = _suite(_stated(policy_file, policy) if url else None)
    vectors = _chosen(suite, topics, ids)
    if listed:
        print_vectors(suite, vectors, as_json=as_json)
        return
    reports, broken = asyncio.run(_run(_targets(names, url), suite, vectors))
    _write(reports, junit_file, html_file, markdown_file)
    if as_json:
        from corsproxy.conformance.formats import plain  # noqa: PLC0415

        click.echo(json.dumps([plain(report) for report in reports], indent=2))
    else:
        print_reports(reports)
    for text in broken:
        click.echo(text, err=True)
    sys.exit(bool(broken) or any(report.failed for report in reports))


def _suite(stated: PolicyConfig | None) -> Suite:
    from corsproxy.conformance.load import bundled  # noqa: PLC0415  # --help needs none of them

    if stated is None:
        return bundled()
    from corsproxy.conformance.stated import covered  # noqa: PLC0415
    from corsproxy.errors import InvalidPolicy  # noqa: PLC0415

    try:
        return covered(bundled(), stated)
    except InvalidPolicy as invalid:
        said = "\n".join(f"{problem.field}: {problem.message}" for problem in invalid.problems)
        raise click.UsageError(f"that is no policy to judge a server by\n{said}") from None


def _stated(file: Path | None, flags: dict[str, object]) -> PolicyConfig:
    """The policy of a file, or of the flags."""
    import yaml  # noqa: PLC0415  # --help needs neither
    from pydantic import ValidationError  # noqa: PLC0415

    from corsproxy.config.model import PolicyConfig  # noqa: PLC0415

    given = {key: flags[flag.parameter] for key, flag in _POLICY_FLAGS.items()}
    written: object = {key: list(v) if isinstance(v, tuple) else v for key, v in given.items() if v}
    if file is not None:
        try:
            written = yaml.safe_load(file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise click.UsageError(f"{file} cannot be read: {error}") from None
    elif not written:
        raise click.UsageError("--url needs the server's policy; give --allow-origin, or --policy FILE")
    try:
        return PolicyConfig.model_validate(written)
    except ValidationError as invalid:
        said = "\n".join(f"{'.'.join(map(str, e['loc'])) or 'policy'}: {e['msg']}" for e in invalid.errors())
        raise click.UsageError(f"that is no policy\n{said}") from None


def _chosen(suite: Suite, topics: Sequence[str], ids: Sequence[str]) -> tuple[Vector, ...]:
    from corsproxy.conformance.choice import Unknown, chosen  # noqa: PLC0415

    try:
        return chosen(suite, topics, ids)
    except Unknown as unknown:
        raise click.UsageError(str(unknown)) from None


def _targets(names: Sequence[str], url: str | None) -> list[Target]:
    from corsproxy.conformance.targets import TARGETS, target_named  # noqa: PLC0415

    if url is not None:
        return [_running(names, url)]
    if ALL in names:
        return [target for target in map(target_named, TARGETS) if not target.missing()]
    found = []
    for name in names or ("corsproxy",):
        if name not in TARGETS:
            raise click.UsageError(f"there is no target {name!r}; it is one of {', '.join(TARGETS)}, or {ALL}")
        found.append(target_named(name))
        if missing := found[-1].missing():
            raise click.UsageError(f"{name} cannot be run here: {missing}")
    return found


def _running(names: Sequence[str], url: str) -> Target:
    from corsproxy.conformance.targets.running import NoUrl, Running  # noqa: PLC0415

    if names:
        raise click.UsageError(f"--url and {names[0]} are two targets; leave one of them out")
    try:
        return Running(url)
    except NoUrl as error:
        raise click.UsageError(str(error)) from None


async def _run(targets: Sequence[Target], suite: Suite, vectors: Sequence[Vector]) -> tuple[list[Report], list[str]]:
    """The reports, and what is to be said of targets that did not come to run."""
    from corsproxy.conformance.runner import run  # noqa: PLC0415
    from corsproxy.conformance.target import Broken  # noqa: PLC0415

    reports, broken = [], []
    for target in targets:
        try:
            reports.append(await run(target, suite, vectors))
        except Broken as error:
            broken.append(f"{target.name} cannot be judged: {error}")
    return reports, broken


def _write(
    reports: Sequence[Report], junit_file: Path | None, html_file: Path | None, markdown_file: Path | None
) -> None:
    today = datetime.now(tz=UTC).date().isoformat()
    if junit_file is not None:
        from corsproxy.conformance.formats import as_junit  # noqa: PLC0415

        write_output(junit_file, as_junit(reports), "--junit")
    if html_file is not None:
        from corsproxy.conformance.html import page  # noqa: PLC0415

        write_output(html_file, page(reports, today).encode(), "--html")
    if markdown_file is not None:
        from corsproxy.conformance.markdown import updated  # noqa: PLC0415

        text = updated(markdown_file.read_text("utf-8"), reports, today)
        write_output(markdown_file, text.encode(), "--markdown")
