"""``corsproxy export``: a table in, another engine's configuration out, or what is lost."""

from __future__ import annotations

import stat

import pytest
from click.testing import CliRunner

from corsproxy.cli.export import TARGETS
from corsproxy.cli.main import cli
from corsproxy.tools.exporting import targets

TABLE = "rules:\n  - upstream: http://127.0.0.1:8000\n    policy: {allow_origins: https://myapp.com}\n"
LOSS = "4:5: the upstream sees the Origin of the page itself"


def run(*arguments: str, text: str = TABLE):
    return CliRunner().invoke(cli, ["export", "-c", "-", *arguments], input=text)


def test_every_target_is_offered():
    assert tuple(targets.TARGETS) == TARGETS


@pytest.mark.parametrize("target", ["envoy", "nginx", "haproxy", "caddy"])
def test_what_is_printed_is_a_configuration(target):
    done = run("--to", target)
    assert done.exit_code == 0
    assert done.stderr == ""
    assert "corsproxy export of standard input" in done.stdout


def test_a_file_is_for_its_owner_alone(tmp_path):
    output = tmp_path / "nginx.conf"
    assert run("--to", "nginx", "-o", str(output)).output == ""
    assert output.read_text() == run("--to", "nginx").stdout
    assert stat.S_IMODE(output.stat().st_mode) == 0o600


def test_what_is_lost_is_an_error_and_nothing_is_written(tmp_path):
    output = tmp_path / "nginx.conf"
    done = run("--to", "nginx", "-o", str(output), text=TABLE + "    forward_origin: remove\n")
    with pytest.raises(SystemExit):
        raise SystemExit(done.exit_code)
    assert not output.exists()


def test_the_best_effort_warns(tmp_path):
    done = run("--to", "nginx", "--best-effort", text=TABLE + "    forward_origin: remove\n")
    assert done.exit_code == 0
    assert f"standard input:{LOSS.replace('4:5: ', '4:5: warning: ')}" in done.stderr
    assert f"# DIFFERENCE: standard input:{LOSS}" in done.stdout


def test_an_unknown_target_is_wrong_usage():
    assert run("--to", "apache").exit_code == 2
