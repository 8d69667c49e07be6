"""The group of commands: its help, what it imports, and how it ends."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import corsproxy
from corsproxy.cli import main as main_module
from corsproxy.cli.main import COMMANDS, cli
from corsproxy.errors import CorsproxyError, InvalidConfig, Problem


def run(*arguments, **options):
    command = [sys.executable, "-m", "corsproxy", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, **options)


def test_the_version():
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"corsproxy {corsproxy.__version__}\n", "")


def test_help_names_every_command_and_how_to_begin():
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    assert all(f"\n  {name} " in result.output for name in COMMANDS)
    assert "corsproxy dev https://api.example.com" in result.output
    assert "corsproxy serve -c config.yaml" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_one_can_learn_from(name):
    result = CliRunner().invoke(cli, [name, "--help"], prog_name="corsproxy")
    assert result.exit_code == 0
    assert result.output.count(f"corsproxy {name}") >= 2 or name == "healthcheck"  # its usage, and an example
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name


def test_help_imports_no_command():
    """A command's libraries are not paid for by another one, nor by --help."""
    heavy = "aiohttp", "rich", "pydantic", "yaml", "httptools"
    code = (
        "import sys; from corsproxy.cli.main import cli; cli(['--help'], standalone_mode=False);"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_serve_imports_nothing_that_it_does_not_use():
    """A sidecar is started for every pod, and again after every crash: what its start takes, somebody waits for."""
    needless = (
        "corsproxy.tools",
        "corsproxy.demo",
        "corsproxy.server.tracing",
        "opentelemetry",
        "prometheus_client",
        "rich",
    )
    code = (
        "import sys; import corsproxy.cli.serve, corsproxy.config.load, corsproxy.server.admin;"
        f"print([name for name in {needless!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chek"], "Error: there is no command 'chek'; did you mean 'check'?"),
        (["zzz"], "Error: there is no command 'zzz'"),
        (["--nothing"], "Error: No such option '--nothing'."),
        (["check"], "Error: nothing says what to serve; give -c FILE"),
    ],
)
def test_wrong_usage_exits_with_2(arguments, message):
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert message.rstrip(".") in result.output


def test_no_command_is_a_question():
    result = CliRunner().invoke(cli, [])
    assert "Commands:" in result.output


@pytest.mark.parametrize(
    ("error", "printed"),
    [
        (InvalidConfig((Problem("c", 2, 3, "wrong", "right"),)), "c:2:3: wrong\n    right\n1 problem\n"),
        (CorsproxyError("it failed; try again"), "it failed; try again\n"),
    ],
)
def test_an_error_is_a_line_and_exits_with_1(error, printed, monkeypatch, capsys):
    def fail(**_):
        raise error

    monkeypatch.setattr(main_module, "cli", fail)
    with pytest.raises(SystemExit) as ended:
        main_module.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == printed


def test_a_shell_can_complete_the_commands():
    context = click.Context(cli)
    assert cli.list_commands(context) == list(COMMANDS)
    assert cli.get_command(context, "zzz") is None


def test_options_come_from_the_environment():
    done = run("check", env={"CORSPROXY_CONFIG": "missing.yaml", "PATH": ""})
    assert done.returncode == 1
    assert done.stderr.startswith("missing.yaml: the file cannot be read")
