"""``corsproxy explain``: what people and programs read, and the exit code."""

import json
import socket

import pytest
from click.testing import CliRunner

from corsproxy.cli.main import cli
from corsproxy.cors.words import PREFLIGHT

TEXT = """\
policies:
  web-app:
    allow_origins:
      - https://app.example.com  # production
rules:
  - {path: /api, upstream: http://127.0.0.1:9000, policy: web-app}
"""
URL, PAGE = "http://localhost:8080/api", "http://localhost:5173"
LINE = (
    f"Access to fetch at '{URL}' from origin '{PAGE}' has been blocked by CORS policy: "
    "No 'Access-Control-Allow-Origin' header is present on the requested resource."
)


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(TEXT)
    return str(file)


def run(*words, **more):
    return CliRunner().invoke(cli, ["explain", *words], **more)


def test_the_line_of_the_console_is_answered_with_the_line_to_change(config):
    result = run("-c", config, LINE)
    assert result.exit_code == 1
    assert result.stdout.startswith(f"blocked   GET {URL} from {PAGE}\n")
    assert f"\nChromium  {LINE}\n" in result.stdout
    assert "\nFirefox   Cross-Origin Request Blocked: " in result.stdout
    assert "\nSafari    Origin http://localhost:5173 is not allowed by" in result.stdout
    assert f"\nrule      /api  ({config}:6:5)\npolicy    web-app  ({config}:2:3)\n" in result.stdout
    assert "  4 NO Access-Control-Allow-Origin is the page's origin" in result.stdout
    assert "\n    +      - http://localhost:5173\n" in result.stdout
    assert "\ncareful   every program on a visitor's own machine" in result.stdout


def test_standard_input_is_read_where_nothing_is_named(config):
    assert run("-c", config, input=LINE).exit_code == 1
    assert run("-c", config, "-", input=LINE).exit_code == 1


def test_an_allowed_request_exits_with_0(config):
    result = run("-c", config, "--origin", "https://app.example.com", URL)
    assert result.exit_code == 0
    assert result.stdout.startswith("allowed   GET")
    assert "the page reads the answer" in result.stdout


def test_what_the_configuration_allows_and_a_browser_has_blocked_is_unclear(config):
    said = LINE.replace(PAGE, "https://app.example.com").replace("No 'A", f"{PREFLIGHT}No 'A")
    result = run("-c", config, said)
    assert result.exit_code == 1
    assert result.stdout.startswith("unclear   GET")
    assert "\nchange    the origin is allowed, so the preflight asked for a method or a header" in result.stdout


def test_several_requests_of_a_har_file(config, tmp_path):
    entry = {
        "request": {"method": "GET", "url": URL, "headers": [{"name": "Origin", "value": PAGE}]},
        "response": {"status": 200, "headers": []},
    }
    file = tmp_path / "page.har"
    file.write_text(json.dumps({"log": {"entries": [entry, entry]}}))
    result = run("-c", config, str(file))
    assert result.exit_code == 1
    assert result.stdout.count("blocked   GET") == 2


def test_json_for_programs(config):
    result = run("-c", config, "--json", "--origin", PAGE, "--method", "PUT", "--header", "X-A", "--credentials", URL)
    (found,) = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found["request"]["headers"] == [["X-A", "?"]]
    assert found["request"]["credentials"] == "include"


def test_no_colours_where_nobody_sees_them(config):
    assert "\x1b" not in run("-c", config, LINE).output


def test_what_cannot_be_changed_is_said(config):
    result = run("-c", config, "--origin", PAGE, "http://localhost:8080/nowhere")
    assert 'change    no rule matches the path "/nowhere"' in result.stdout
    assert "corsproxy itself answered 404" in result.stdout


def har(tmp_path, *answers):
    """The name of a HAR file with a GET for each answer: (status, headers, error)."""
    entries = [
        {
            "request": {"method": "GET", "url": URL, "headers": [{"name": "Origin", "value": PAGE}]},
            "response": {"status": status, "headers": headers, "_error": error},
        }
        for status, headers, error in answers
    ]
    file = tmp_path / "page.har"
    file.write_text(json.dumps({"log": {"entries": entries}}))
    return str(file)


ALLOW = [{"name": "Access-Control-Allow-Origin", "value": PAGE}]


def test_of_a_har_file_what_is_allowed_has_one_line(tmp_path):
    result = run(har(tmp_path, (200, ALLOW, ""), (200, [], "")))
    assert result.exit_code == 1
    table = [line.split("  ") for line in result.stdout.splitlines()[:3]]
    assert [line[0] for line in table] == ["verdict", "allowed", "blocked"]
    assert table[2][-1] == "missing allow origin"
    assert result.stdout.count("Chromium ") == 1


def test_what_a_har_file_does_not_answer_is_said_beside_the_rest(tmp_path):
    result = run(har(tmp_path, (200, ALLOW, ""), (0, [], "net::ERR_FAILED")))
    assert result.exit_code == 1
    assert result.stdout.startswith("allowed")
    assert "the file has no answer to judge" in result.stderr


def test_without_a_configuration_the_sentence_is_explained(config):
    result = run(LINE)
    assert result.exit_code == 1
    assert "Access-Control-Allow-Origin is the page's origin" in result.stdout
    assert "\nchange    the server has to answer as below" in result.stdout
    assert result.stdout.endswith(
        f"\nneeded    the answer to GET, status any:\n    Access-Control-Allow-Origin: {PAGE}\n"
    )


def test_live_asks_with_the_command_line_alone():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = run("--live", "--origin", PAGE, f"http://127.0.0.1:{port}/")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is it running, and is the port right?" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["TypeError: Failed to fetch"], "this line is the same for every failure"),
        (["nothing.har"], "nothing.har cannot be read"),
        (["--origin", PAGE, URL], "name the rule table with -c, or ask the server with --live"),
    ],
)
def test_what_is_not_understood_is_said_in_a_line(words, message):
    result = run(*words)
    assert result.exit_code == 1
    assert message in f"{result.exception}{result.stderr}"
