"""The README is true: its commands run or parse, its table loads, and its transcript is what is printed."""

from __future__ import annotations

import re
import shlex
import tomllib

import pytest

from corsproxy.cli.main import cli
from corsproxy.cors.check import Blocked, Verdict
from corsproxy.cors.words import chromium
from tests import documents
from tests.documents import ROOT, Document

README = Document(ROOT / "README.md")
COMMANDS = [line for page in (README, *documents.pages("docs")) for line in documents.command_lines(page)]
EXAMPLE = "config.example.yaml"


def test_it_begins_with_the_browsers_sentence():
    url, origin = "https://api.example.com/data", "https://myapp.com"
    said = chromium(Verdict(Blocked.MISSING_ALLOW_ORIGIN), url=url, origin=origin)
    assert README.text.splitlines()[:3] == ["# corsproxy", "", f"> {said}"]


def test_the_table_loads():
    (block,) = README.of("yaml")
    assert len(block.text.splitlines()) == 10
    compiled = documents.load(block.text)
    assert [rule.path for rule in compiled.table.rules] == ["/orders"]
    policy = compiled.table.rules[0].policy
    assert not policy.allows_origin(b"https://myapp.com.evil.example")


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one(line):
    """Its name, its options and its arguments are read by the command itself."""
    _, name, *arguments = shlex.split(line)
    command = cli.get_command(None, name)
    assert command is not None
    command.make_context(name, arguments, auto_envvar_prefix="NOBODY_SETS_THIS").close()


def test_the_example_is_checked_as_shown():
    (line,) = (line for line in COMMANDS if line.startswith("corsproxy check") and EXAMPLE in line)
    done = documents.run(line, ROOT)
    assert (done.returncode, "/orders" in done.stdout) == (0, True)


def test_the_example_is_served_as_shown(tmp_path):
    (line,) = (line for line in COMMANDS if line.startswith("corsproxy serve") and EXAMPLE in line)
    text = re.sub(r"127\.0\.0\.1:(8080|9901)$", "127.0.0.1:0", (ROOT / EXAMPLE).read_text("utf-8"), flags=re.MULTILINE)
    (tmp_path / EXAMPLE).write_text(text, "utf-8")
    with documents.running(line, tmp_path) as process:
        assert process.stdout.readline().startswith("listening on http://127.0.0.1:")


def test_the_transcript_is_what_is_printed(tmp_path):
    (block,) = README.of("console")
    with documents.legacy_api() as upstream:
        shown = block._replace(text=block.text.replace("localhost:5000", upstream.removeprefix("http://")))
        command, printed = documents.transcript(shown)
        with documents.running(f"{command} --listen localhost:0", tmp_path) as process:
            found = documents.replay(process, printed, {"Access-Control-Request-Method": "POST"})
    assert documents.comparable(found) == documents.comparable(printed)


def test_scripts_and_mounted_files_exist():
    shell = "\n".join(block.text for block in README.of("sh"))
    named = re.findall(r"^(scripts/\w+)", shell, re.MULTILINE) + re.findall(r"\$PWD/(\S+?):", shell)
    assert named == ["scripts/demo", "scripts/test", "deploy/config"]
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_it_names_the_python_that_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    oldest = project["requires-python"].removeprefix(">=")
    assert f"Python {oldest} or later" in README.section("Requirements")
    assert "re2" in project["optional-dependencies"]


def test_it_stays_short():
    """Two screens of prose; examples and headings do not count."""
    words = re.sub(r"!\[[^\]]*\]|\([^)\s]+\)", " ", README.prose).split()
    assert len(words) < 900
