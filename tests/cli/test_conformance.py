"""``corsproxy conformance`` as its user meets it."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from corsproxy.cli.main import cli


def invoke(*arguments, **options):
    return CliRunner().invoke(cli, ["conformance", *arguments], **options)


def test_it_prints_a_score_by_topic_and_writes_what_was_asked_for(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- results: begin; made by scripts/conformance -->\n<!-- results: end -->\n", "utf-8")
    files = ["--junit", tmp_path / "junit.xml", "--html", tmp_path / "page.html", "--markdown", page]
    done = invoke("--topic", "network", "--vector", "origin-lookalike-null", *map(str, files))
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].split() == ["all", "10/10"]
    assert ET.parse(tmp_path / "junit.xml").getroot()[0].get("tests") == "10"  # our own
    assert (tmp_path / "page.html").read_text("utf-8").startswith("<!doctype html>")
    assert "10 of 10" in page.read_text("utf-8")


def test_json_is_a_list_of_reports():
    done = invoke("--vector", "origin-listed-first", "--json", "corsproxy-ordinary")
    (report,) = json.loads(done.stdout)
    assert report["target"] == "corsproxy-ordinary"
    assert report["total"] == {"held": 1, "failed": 0, "lets_in": 0, "cannot": 0}


def test_the_vectors_are_listed_and_nothing_is_run():
    lines = invoke("--list", "--topic", "network").stdout.splitlines()
    assert lines[0] == "network  Private networks"
    assert lines[-1] == f"{len(lines) - 2} vectors"
    listed = json.loads(invoke("--list", "--json", "--vector", "origin-listed").stdout)
    assert {vector["topic"] for vector in listed} == {"origins"}


def test_the_targets_are_listed():
    assert invoke("--targets").stdout.splitlines()[1].split()[:2] == ["corsproxy", "corsproxy"]


def test_a_failure_says_what_follows_from_it(tmp_path):
    """A server that is not there fails everything, and the exit code says so."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("allow_origins: [https://shop.example]\n", "utf-8")
    done = invoke("--url", "http://127.0.0.1:1/", "--policy", str(policy), "--vector", "origin-listed-first")
    assert done.exit_code == 1
    assert "origin-listed-first  The first origin of a list is allowed" in done.stdout
    assert "  found     no connection: " in done.stdout
    assert "  so        the page that the policy was written for cannot read its own API" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nginxx"], "there is no target 'nginxx'; it is one of corsproxy, "),
        (["--topic", "cache"], "there is no topic 'cache'; did you mean 'caches'?"),
        (["--url", "http://127.0.0.1:1/"], "--url needs the server's policy; give --allow-origin, or --policy FILE"),
        (["--url", "x", "--allow-origin", "https://a.example"], "'x' is no URL of a server"),
        (["--url", "http://a/", "--allow-origin", "https://a.example", "corsproxy"], "are two targets"),
        (["--url", "http://a/", "--allow-origin", "*", "--allow-credentials"], "allow_origins: '*' with credentials"),
        (["--url", "http://a/", "--max-age", "soon"], "max_age: "),
        (["--url", "http://a/", "--policy", "nowhere.yaml"], "nowhere.yaml cannot be read"),
    ],
)
def test_wrong_usage(arguments, message):
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
