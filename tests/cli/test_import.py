"""``corsproxy import``: files in, a table and a list out."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from corsproxy.cli.main import cli

APP = "from flask_cors import CORS\nCORS(app, origins='https://myapp.com')\n"
UPSTREAM = ("--upstream", "http://127.0.0.1:5000")


def run(*arguments: str):
    return CliRunner().invoke(cli, ["import", *arguments])


@pytest.fixture
def flask(tmp_path):
    file = tmp_path / "app.py"
    file.write_text(APP)
    return str(file)


def test_what_is_written_is_a_configuration(flask, tmp_path):
    output = str(tmp_path / "config.yaml")
    done = run("--from", "flask-cors", flask, *UPSTREAM, "-o", output)
    assert (done.exit_code, done.output) == (0, "")
    checked = CliRunner().invoke(cli, ["check", "-c", output])
    assert checked.exit_code == 0
    assert "https://myapp.com" in checked.output


def test_without_an_output_it_is_printed(flask):
    done = run("--from", "flask-cors", flask, *UPSTREAM)
    assert done.exit_code == 0
    assert done.stdout.startswith("# Read from app.py;")


def test_what_is_not_read_is_listed_with_its_line_and_is_a_no(tmp_path):
    file = tmp_path / "app.py"
    file.write_text(f"{APP}CORS(other, origins=load())\n")
    done = run("--from", "flask-cors", str(file), *UPSTREAM)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"{file}:3:1: origins is not a literal but load()")
    assert "https://myapp.com" in done.stdout


@pytest.mark.parametrize(
    ("source", "text", "said"),
    [
        ("flask-cors", "this is no program", "app: this is no Python"),
        ("flask-cors", "print()", "app: nothing of CORS that can be read"),
        ("express-cors", "function {", "is no JavaScript"),
        ("nginx", "server {", "nginx"),
        ("gateway-api", "a: [", "app: this is no YAML"),
        ("gateway-api", "kind: Service", "app: nothing of CORS that can be read"),
    ],
)
def test_a_file_of_another_kind_is_a_no(source, text, said, tmp_path):
    file = tmp_path / "app"
    file.write_text(text)
    done = run("--from", source, str(file), *(UPSTREAM if source in {"flask-cors", "express-cors"} else ()))
    assert done.exit_code == 1
    assert said in done.stderr
    assert not done.stdout


@pytest.mark.parametrize("extra", [(), ("--from", "nginx", *UPSTREAM), ("--from", "flask-cors"), ("--from", "apache")])
def test_wrong_usage(flask, extra):
    assert run(flask, *extra).exit_code == 2


@pytest.mark.parametrize(("source", "parser"), [("nginx", "crossplane"), ("express-cors", "tree_sitter")])
def test_a_parser_that_is_missing_is_named_with_its_extra(source, parser, flask, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("corsproxy.tools.importing.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, parser, None)
    done = run("--from", source, flask, *(UPSTREAM if source == "express-cors" else ()))
    assert done.exit_code == 1
    assert "pip install 'corsproxy[import]'" in done.stderr


def test_bytes_that_are_no_text_are_said_to_be_none(tmp_path):
    file = tmp_path / "app.py"
    file.write_bytes(b"\xff\xfe")
    done = run("--from", "flask-cors", str(file), *UPSTREAM)
    assert done.exit_code == 1
    assert "cannot be read" in done.stderr
