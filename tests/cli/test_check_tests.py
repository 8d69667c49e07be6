"""``corsproxy check`` with tests in the table, in every format, and with several files."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from corsproxy.cli.main import cli, main

GOOD = """\
policies:
  web-app:
    allow_origins: [https://app.example.com]
rules:
  - {path: /orders, upstream: http://a, policy: web-app}
tests:
  - {origin: https://app.example.com, path: /orders}
"""
FAILING = """\
  - {origin: https://app.example.com, path: /orders, method: PUT}
  - {origin: https://app.example.com, path: /orders, expect: denied-origin}
"""
BESIDE = """\
tests:
  - {origin: https://evil.example, path: /orders, expect: blocked}
  - {origin: https://evil.example, path: /orders}
"""
WRONG = "rules: [{upstream: http://a, policy: web}]\n"


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "failing.yaml").write_text(GOOD + FAILING)
    (tmp_path / "beside.yaml").write_text(BESIDE)
    (tmp_path / "wrong.yaml").write_text(WRONG)
    monkeypatch.chdir(tmp_path)


def check(*arguments, **options):
    return CliRunner().invoke(cli, ["check", *arguments], **options)


def test_tests_that_hold():
    result = check("-c", "good.yaml")
    assert result.exit_code == 0
    assert result.stdout.endswith("\n\n1 test passed\n")
    assert result.stderr == ""


def test_tests_that_fail_are_explained():
    result = check("-c", "failing.yaml")
    assert result.exit_code == 1
    assert result.stdout.startswith("listens at 127.0.0.1:8080\n")
    assert "passed" not in result.stdout
    first, second = result.stderr.split("\nfailing.yaml:9:14: ")
    assert first.startswith(
        "\nfailing.yaml:8:14: PUT /orders from https://app.example.com: expected allowed, found"
        " preflight-denied-method\n"
        "blocked   PUT https://proxy.invalid/orders from https://app.example.com\n"
        "\n"
        "Chromium  Access to fetch at 'https://proxy.invalid/orders' from origin 'https://app.example.com' has been"
        " blocked by CORS policy: Response to preflight request doesn't pass access control check: No"
    )
    assert (
        "\nrule      /orders  (failing.yaml:5:5)\npolicy    web-app  (failing.yaml:2:3)\ndenied    the method PUT\n"
        in first
    )
    assert "\n    +    allow_methods: [GET, HEAD, POST, PUT]\n" in first
    assert second.startswith(
        "GET /orders from https://app.example.com: expected denied-origin, found allowed\n"
        "    allowed by https://app.example.com  (failing.yaml:3:21)\n"
        "allowed   GET https://proxy.invalid/orders from https://app.example.com\n"
    )
    assert second.endswith("\n\n2 of 3 tests failed\n")


def test_tests_beside_the_configuration():
    result = check("-c", "good.yaml", "--tests", "beside.yaml")
    assert result.exit_code == 1
    assert (
        "\nbeside.yaml:3:14: GET /orders from https://evil.example: expected allowed, found denied-origin\n"
        in result.stderr
    )
    assert "\n    +++ good.yaml\n" in result.stderr
    assert result.stderr.endswith("\n1 of 3 tests failed\n")


def test_everything_that_is_wrong_is_said_at_once():
    Path("beside.yaml").write_text("tests: [{origin: x}]")
    result = check("-c", "wrong.yaml", "--tests", "beside.yaml", "--tests", "none.yaml")
    assert result.exit_code == 1
    places = [line.partition(": ")[0] for line in result.stderr.splitlines() if "yaml" in line]
    assert places == ["wrong.yaml:1:38", "beside.yaml:1:18", "none.yaml"]
    assert result.stderr.endswith("3 problems\n")


# Several files


def test_several_files():
    result = check("good.yaml", "wrong.yaml")
    assert result.exit_code == 1
    assert result.stdout.startswith("good.yaml\nlistens at ")
    assert result.stdout.endswith("\n\n1 test passed\n\nwrong.yaml\n")
    assert result.stderr.startswith("wrong.yaml:1:38: unknown policy 'web'")
    assert check("good.yaml", "good.yaml").exit_code == 0
    assert check("good.yaml").stdout == check("-c", "good.yaml").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-c", "good.yaml", "good.yaml"], "-c FILE and files as arguments are two ways to say the same; choose one"),
        (
            ["good.yaml", "--upstream", "http://a"],
            "good.yaml and --upstream both say what to serve; remove one of them",
        ),
        (["good.yaml", "wrong.yaml", "--json"], "the JSON is of one configuration; name one file, or choose another"),
        (["--upstream", "http://a", "--allow-origin", "https://b", "--tests", "beside.yaml"], "--tests needs a config"),
        (["good.yaml", "--format", "xml"], "'xml' is not one of 'text', 'json', 'sarif', 'github'."),
    ],
)
def test_wrong_usage(arguments, message):
    result = check(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_file_as_argument_wins_over_the_environment():
    result = check("good.yaml", env={"CORSPROXY_CONFIG": "wrong.yaml", "CORSPROXY_ALLOW_ORIGINS": "https://b"})
    assert result.exit_code == 0


# Formats


def test_json():
    result = check("-c", "failing.yaml", "--format", "json")
    assert result.exit_code == 1
    assert check("-c", "failing.yaml", "--json").stdout == result.stdout
    said = json.loads(result.stdout)
    assert said["valid"] is True
    passed, failed, allowed = said["tests"]
    assert passed == {
        "file": "failing.yaml",
        "line": 7,
        "column": 14,
        "request": {
            "url": "https://proxy.invalid/orders",
            "origin": "https://app.example.com",
            "method": "GET",
            "headers": [],
            "credentials": "same-origin",
            "mode": "cors",
        },
        "expected": "allowed",
        "found": "allowed",
        "passed": True,
        "allowed_by": None,
        "explanation": None,
    }
    assert (failed["passed"], failed["found"]) == (False, "preflight-denied-method")
    assert failed["explanation"]["outcome"] == "preflight-denied-method"
    assert allowed["allowed_by"] == "https://app.example.com  (failing.yaml:3:21)"


def test_sarif_of_several_files():
    result = check("--format", "sarif", "good.yaml", "failing.yaml", "wrong.yaml")
    assert result.exit_code == 1
    (run,) = json.loads(result.stdout)["runs"]
    found = [
        (finding["ruleId"], finding["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
        for finding in run["results"]
    ]
    assert found == [
        ("failed-test", "failing.yaml"),
        ("failed-test", "failing.yaml"),
        ("invalid-config", "wrong.yaml"),
    ]
    assert "\nrule      /orders  (failing.yaml:5:5)\n" in run["results"][0]["message"]["text"]


def test_github_has_warnings_too():
    Path("good.yaml").write_text(GOOD.replace("rules:", "  unused: {allow_origins: '*'}\nrules:"))
    result = check("--format", "github", "good.yaml", "wrong.yaml")
    assert result.exit_code == 1
    assert result.stdout == (
        "::warning title=corsproxy doubtful-config,file=good.yaml,line=4,col=3::no rule uses the policy 'unused'; "
        "remove it, or name it in a rule\n"
        "::error title=corsproxy invalid-config,file=wrong.yaml,line=1,col=38::unknown policy 'web'; "
        "declare it under policies\n"
    )
    assert check("--format", "github", "good.yaml").exit_code == 0


def test_flags_have_findings_too():
    result = check("--upstream", "http://a", "--allow-origin", "https://b/", "--format", "github")
    assert result.exit_code == 1
    assert result.stdout.startswith("::error title=corsproxy invalid-config,file=--allow-origin")
    assert check("--upstream", "http://a", "--allow-origin", "https://b", "--format", "github").stdout == ""


def test_junit_beside_any_format():
    result = check("--format", "github", "failing.yaml", "wrong.yaml", "--junit", "results.xml")
    assert result.exit_code == 1
    root = ET.parse("results.xml").getroot()
    counts = [(suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("errors")) for suite in root]
    assert counts == [("failing.yaml", "3", "2", "0"), ("wrong.yaml", "1", "0", "1")]
    assert "Cross-Origin Request Blocked" in root[0][1][0].text


def test_standard_input_has_a_name():
    result = check("-c", "-", "--junit", "results.xml", input=WRONG)
    assert result.exit_code == 1
    assert ET.parse("results.xml").getroot()[0].get("name") == "standard input"


def test_junit_that_cannot_be_written(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["corsproxy", "check", "good.yaml", "--junit", "no/where.xml"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    printed = capsys.readouterr().err
    assert printed == "no/where.xml cannot be written (No such file or directory); name another file after --junit\n"
