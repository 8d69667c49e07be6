"""The units: what systemd says of them, and that the service takes the socket that its unit hands it."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess

import pytest

from corsproxy.config.load import load_config
from tests.documents import ROOT

FOLDER = ROOT / "deploy" / "systemd"
ANALYZE = shutil.which("systemd-analyze")


def unit(name):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(FOLDER / name, encoding="utf-8")
    return parser


@pytest.fixture
def units(tmp_path):
    """The units in a folder of their own, with a program that is there on every machine."""
    for path in FOLDER.glob("corsproxy.*"):
        text = re.sub(r"(?<==)/usr/local/lib/corsproxy/bin/corsproxy", "/bin/true", path.read_text("utf-8"))
        (tmp_path / path.name).write_text(text, "utf-8")
    return tmp_path


def analyze(*arguments):
    if ANALYZE is None:
        pytest.skip("systemd-analyze is not here; apt-get install systemd")
    return subprocess.run([ANALYZE, *arguments], check=False, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["corsproxy.service", "corsproxy.socket"])
def test_systemd_has_nothing_to_say(units, name):
    done = analyze("verify", str(units / name))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_misspelt_setting_is_noticed(units):
    path = units / "corsproxy.service"
    path.write_text(path.read_text("utf-8").replace("ProtectHome", "ProtectHomes"), "utf-8")
    assert "ProtectHomes" in analyze("verify", str(path)).stderr


def test_the_service_is_hardened(units):
    """systemd's own measure, from 0 (it may do nothing) to 10; it calls up to 2 OK, and 9.6 is where a unit starts."""
    done = analyze("security", "--offline=true", "--threshold=20", str(units / "corsproxy.service"))
    assert done.returncode == 0, done.stdout


def test_it_checks_before_it_serves_and_reloads():
    service = unit("corsproxy.service")["Service"]
    program, config = "/usr/local/lib/corsproxy/bin/corsproxy", "-c /etc/corsproxy/config.yaml"
    assert service["ExecStartPre"] == f"{program} check {config}"
    assert service["ExecStart"] == f"{program} serve {config}"
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service["DynamicUser"] == "yes"


def test_the_service_takes_the_socket_of_its_unit():
    (listen,) = load_config((FOLDER / "config.yaml").read_text("utf-8"), "config.yaml", {}).listen
    assert str(listen) == f"systemd:{unit('corsproxy.socket')['Socket']['FileDescriptorName']}"
    assert "corsproxy.socket" in unit("corsproxy.service")["Unit"]["Requires"]
