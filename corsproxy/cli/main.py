"""``corsproxy``: the group of all commands.

Rules: a command's module is imported when that command is run, so that ``serve`` does not pay for what ``check`` needs;
what is wrong is said in a line, never in a stack trace.
"""

from __future__ import annotations

import difflib
import gc
import importlib
import sys
from typing import Final

import click

from corsproxy import __version__
from corsproxy.errors import CorsproxyError, InvalidConfig
from corsproxy.proxy.compilation import compiled

# Every command, in the order in which a newcomer meets them, and what --help says of it.
COMMANDS: Final = {
    "demo": "See in a browser what the proxy is for.",
    "dev": "Put the proxy in front of one API, for a front-end on localhost.",
    "serve": "Serve the rule table of a configuration file, or one API by flags alone.",
    "explain": "Say why the browser said no, and what to change.",
    "probe": "Find out what an API does about CORS by itself, and who is at risk.",
    "learn": "Propose the smallest rule table under which recorded traffic works.",
    "check": "Say what a configuration means and run its tests, or say everything that is wrong.",
    "import": "Read nginx's, Express's, Flask's or the Gateway API's CORS configuration as a rule table.",
    "conformance": "Put a server to the vectors: how much of CORS it gets right.",
    "diff": "Say what a change of the configuration newly allows pages, or denies them.",
    "export": "Write the rule table in the configuration of Envoy, nginx and others.",
    "schema": "Print the JSON Schema of configuration files, for editors.",
    "healthcheck": "Ask a running proxy whether it is ready.",
}

# New objects that the collector waits for while modules are imported.  What they make stays; at the default of 700 it
# would be looked at again and again.
_COLLECT_AFTER: Final = 100_000

# Where a command's name is no name for a module.
MODULES: Final = {"import": "import_"}


class LazyGroup(click.Group):
    """A group whose commands are imported one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Every command's name."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """A command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = MODULES.get(cmd_name, cmd_name)
        command: click.Command = getattr(importlib.import_module(f"corsproxy.cli.{module}"), module)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that was asked for; an unknown one ends the program with what was probably meant."""
        name = args[0]
        if name not in COMMANDS:
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            ctx.fail(f"there is no command {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The commands in --help; click's own way would import them all."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={
        "auto_envvar_prefix": "CORSPROXY",
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
)
@click.version_option(
    __version__, "--version", "-V", message=f"corsproxy %(version)s{' (compiled)' if compiled() else ''}"
)
def cli() -> None:
    """A reverse proxy that adds CORS to APIs which lack it.

    It answers preflights itself, removes whatever CORS headers the upstream sends, and writes its own from a table of
    rules.

    \b
    Try it without anything:         corsproxy demo
    One API, a page on localhost:    corsproxy dev https://api.example.com
    A rule table, for good:          corsproxy check -c config.yaml
                                     corsproxy serve -c config.yaml

    Every option can be given by an environment variable, which its command's --help names.  Exit codes: 0 well, 1 the
    answer is no, 2 wrong usage.
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart


def main() -> None:
    """Run the command line; the console script."""
    gc.set_threshold(_COLLECT_AFTER)
    try:
        cli(prog_name="corsproxy")
    except InvalidConfig as invalid:
        from corsproxy.cli.style import print_problems  # noqa: PLC0415  # only needed when something is wrong

        print_problems(invalid.problems)
    except CorsproxyError as error:
        click.echo(str(error), err=True)
    sys.exit(1)
