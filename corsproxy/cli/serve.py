"""``corsproxy serve``: the rule table of a file, served."""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from corsproxy.cli.config_file import STANDARD_INPUT_NAME, config_source
from corsproxy.cli.learning_options import Learning, learning_options
from corsproxy.cli.observing import log_to_stdout, observed, wanted_spans
from corsproxy.cli.options import Duration, WorkerCount
from corsproxy.cli.source import Source, source_options
from corsproxy.cli.style import print_warnings, wants_colour
from corsproxy.cors.words import advice
from corsproxy.server.ending import Patience
from corsproxy.server.run import Observing, Plan, run
from corsproxy.server.watch import Watch, is_mounted_alone

if TYPE_CHECKING:
    from corsproxy.cli.inspecting import Inspection
    from corsproxy.cli.lesson import Lesson
    from corsproxy.cli.observing import Advise
    from corsproxy.config.load import Compiled
    from corsproxy.server.listening import Listening

_REMEDIES = {
    errno.EADDRINUSE: "stop what listens there, or choose another address",
    errno.EADDRNOTAVAIL: "choose an address of this machine",
    errno.EACCES: "choose an address that this user may listen on",
}

_MOUNTED_ALONE = (
    "the file is mounted by itself (a Kubernetes subPath, or a single file given to a container), so that one in its"
    " place is never seen here; mount its folder"
)


@click.command()
@source_options
@click.option(
    "--workers",
    type=WorkerCount(),
    envvar="CORSPROXY_WORKERS",
    show_envvar=True,
    default="1",
    show_default=True,
    help="Processes that serve, on the same sockets; auto: one for each core.",
)
@click.option(
    "--worker-timeout",
    type=Duration(zero=False),
    envvar="CORSPROXY_WORKER_TIMEOUT",
    show_envvar=True,
    default="30s",
    show_default=True,
    help="Silence after which a worker that hangs is replaced; a single one is not watched.",
)
@click.option(
    "--watch/--no-watch",
    envvar="CORSPROXY_WATCH",
    show_envvar=True,
    default=True,
    show_default=True,
    help="Reload when the file, or a file of TLS that it names, has changed; SIGHUP reloads in any case.",
)
@click.option(
    "--shadow-reload",
    "shadow_first",
    is_flag=True,
    envvar="CORSPROXY_SHADOW_RELOAD",
    show_envvar=True,
    help="Try a changed file as the shadow of the one in force; SIGHUP puts it in force after that.",
)
@click.option(
    "--drain-delay",
    type=Duration(),
    envvar="CORSPROXY_DRAIN_DELAY",
    show_envvar=True,
    default="0s",
    show_default=True,
    help="After SIGTERM, how long to serve on while /readyz says 503.",
)
@click.option(
    "--drain-timeout",
    type=Duration(),
    envvar="CORSPROXY_DRAIN_TIMEOUT",
    show_envvar=True,
    default="10s",
    show_default=True,
    help="After that, how long requests in flight may take.",
)
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
@click.option(
    "--inspector-token",
    "token",
    envvar="CORSPROXY_INSPECTOR_TOKEN",
    show_envvar=True,
    default="",
    metavar="TOKEN",
    help="Show exchanges on /inspector/ of the admin listener, to who has this token; left out: the inspector is off.",
)
@learning_options(
    "FILE",
    "Learn from what is served, and write the configuration with it to FILE (-: standard output) at the end, and at "
    "SIGUSR1; one worker only.",
)
def serve(  # noqa: PLR0913, PLR0917  # click passes an argument for each option
    source: Source,
    workers: int,
    worker_timeout: float,
    watch: bool,
    shadow_first: bool,
    drain_delay: float,
    drain_timeout: float,
    form: str,
    share: float,
    token: str,
    learning: Learning,
) -> None:
    """Serve the rule table of a configuration file, or one API by flags alone.

    Nothing starts when the configuration is invalid: every problem is printed with its line or its variable, and the
    exit code is 1.  A file that becomes invalid later changes nothing either.  Where neither -c nor --upstream is
    given, /etc/corsproxy/config.yaml is read.

    SIGHUP reloads the file.  SIGTERM or SIGINT ends the proxy after the requests in flight, at once when there are
    none; a second one ends it at once in any case.

    \b
        corsproxy serve -c config.yaml
        corsproxy serve -c config.yaml --workers auto --drain-delay 5s
        CORSPROXY_CONFIG=/etc/corsproxy/config.yaml corsproxy serve --access-log json
        corsproxy serve --upstream http://127.0.0.1:8000 --allow-origin https://app.example.com
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart
    compiled, watched = _read(source)
    if watch and watched is not None and is_mounted_alone(source.file):
        click.echo(f"{source.file}: warning: {_MOUNTED_ALONE}", err=True)
    print_warnings(compiled.warnings)
    advise = _advise(source)
    observing: Observing = partial(observed, form, share, wanted_spans(), advise)
    inspection = _inspection(source.file, compiled, token, workers, advise) if token else None
    lesson = _lesson(source, learning, compiled, workers) if learning.output else None
    plan = Plan(
        workers=workers,
        hang_after=worker_timeout,
        patience=Patience(drain_delay, drain_timeout),
        watch=watched,
        watching=watch,
        shadow_first=shadow_first,
        mount=inspection.mount if inspection else None,
    )

    def say_started(listening: Listening) -> None:
        with log_to_stdout(form) as log:
            log.say(f"listening on {', '.join(listening.names)}")
            if listening.admin_names:
                log.say(f"admin on {', '.join(listening.admin_names)}")
            if compiled.shadow is not None:
                log.say(f"in the shadow: {compiled.shadow}")
            if inspection is not None:
                log.say(f"inspector on {inspection.page}#token=...")

    observing = inspection.beside_those(observing) if inspection else observing
    observing = lesson.beside_those(observing) if lesson else observing
    serve_compiled(compiled, observing, say_started, plan)


def _lesson(source: Source, learning: Learning, compiled: Compiled, workers: int) -> Lesson:
    from corsproxy.cli.lesson import lesson_of_api, lesson_of_file  # noqa: PLC0415  # only who learns needs it
    from corsproxy.tools.learning.places import Places  # noqa: PLC0415

    if not source.file:
        return lesson_of_api(learning, source.values["upstream"], workers)
    return lesson_of_file(learning, source.file, Places(compiled.table), workers)


def _inspection(file: str, compiled: Compiled, token: str, workers: int, advise: Advise) -> Inspection:
    from corsproxy.cli.inspecting import inspection_of  # noqa: PLC0415  # a third of all imports, for few

    return inspection_of(file, compiled, token, workers, advise)


def _advise(source: Source) -> Advise:
    """How to allow what was denied: without a file there is no line to change."""
    if source.file:
        return advice
    from corsproxy.cli.flag_advice import advise_serve  # noqa: PLC0415  # only who has no file needs it

    return advise_serve


def _read(source: Source) -> tuple[Compiled, Watch | None]:
    """The configuration, and what of it is reloaded: nothing where it cannot be read again."""
    if not source.file:
        return source.read(), None
    file, content = config_source(source.file)
    compiled = file.compile(content)
    return compiled, None if file.file == STANDARD_INPUT_NAME else Watch(file, content, compiled)


def serve_compiled(
    compiled: Compiled, observing: Observing, started: Callable[[Listening], None], plan: Plan | None = None
) -> None:
    """Run until a signal; says why and exits with 1 when an address cannot be listened on."""

    def say(listening: Listening) -> None:
        started(listening)
        _warn_of_unverified(compiled)

    _log_to_standard_error()
    try:
        code = run(compiled, observing, say, plan or Plan())
    except OSError as error:
        remedy = f"; {_REMEDIES[error.errno]}" if error.errno in _REMEDIES else ""
        click.echo(f"cannot listen: {error.strerror or error}{remedy}", err=True)
        raise SystemExit(1) from None
    if code:
        raise SystemExit(code)


def _log_to_standard_error() -> None:
    """What the process says of itself: reloads, workers, its end."""
    log = logging.getLogger("corsproxy")
    if not log.handlers:
        log.addHandler(logging.StreamHandler())
        log.setLevel(logging.INFO)


def _warn_of_unverified(compiled: Compiled) -> None:
    """The last line at the start, even where the warnings of the file have scrolled away."""
    names = dict.fromkeys(rule.upstream.name for rule in compiled.table.rules if not rule.upstream.tls.verify)
    for name in names:
        said = f"WARNING: the certificate of the upstream {name} is NOT verified (tls: verify: false)"
        click.secho(said, fg="red", bold=True, err=True, color=wants_colour(sys.stderr))
