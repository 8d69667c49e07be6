"""Where a configuration comes from: a file, flags, variables, and which of them counts."""

from __future__ import annotations

import json
import os
import signal

import pytest
import yaml
from click.testing import CliRunner

from corsproxy.cli import source
from corsproxy.cli.main import cli
from corsproxy.cli.one_api import FLAGS, one_api
from corsproxy.config.load import load_config
from corsproxy.config.model import Config
from corsproxy.errors import InvalidConfig
from tests.cli.running import ran, running
from tests.documents import Document
from tests.e2e.messages import answer
from tests.e2e.rig import ACAO, APP, ORIGIN, STRANGER, RawUpstream, answering, config, preflight

ALL = {
    "CORSPROXY_UPSTREAM": "http://api:8000/v1",
    "CORSPROXY_ALLOW_ORIGINS": f"{APP},https://*.preview.example.com  https://admin.example.com",
    "CORSPROXY_ALLOW_METHODS": "GET,PUT",
    "CORSPROXY_ALLOW_HEADERS": "Content-Type, Authorization",
    "CORSPROXY_EXPOSE_HEADERS": "X-Total-Count",
    "CORSPROXY_ALLOW_CREDENTIALS": "true",
    "CORSPROXY_MAX_AGE": "10m",
    "CORSPROXY_TRUSTED_PROXIES": "10.0.0.0/8,192.0.2.1",
    "CORSPROXY_LISTEN": "0.0.0.0:8080,unix:/run/corsproxy.sock",
    "CORSPROXY_ADMIN": "127.0.0.1:9901",
}
LINE = [
    *("--upstream", "http://api:8000/v1", "--allow-credentials", "--max-age", "10m", "--admin", "127.0.0.1:9901"),
    *("--allow-origin", APP, "--allow-origin", "https://*.preview.example.com"),
    *("--allow-origin", "https://admin.example.com", "--allow-method", "GET", "--allow-method", "PUT"),
    *("--allow-header", "Content-Type", "--allow-header", "Authorization", "--expose-header", "X-Total-Count"),
    *("--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "192.0.2.1"),
    *("--listen", "0.0.0.0:8080", "--listen", "unix:/run/corsproxy.sock"),
]
YAML = f"""
listen: ["0.0.0.0:8080", "unix:/run/corsproxy.sock"]
admin: 127.0.0.1:9901
trusted_proxies: [10.0.0.0/8, 192.0.2.1]
policies:
  default:
    allow_origins: [{APP}, "https://*.preview.example.com", https://admin.example.com]
    allow_methods: [GET, PUT]
    allow_headers: [Content-Type, Authorization]
    expose_headers: [X-Total-Count]
    allow_credentials: true
    max_age: 10m
rules:
  - upstream: http://api:8000/v1
    policy: default
"""
FEW = {"CORSPROXY_UPSTREAM": "http://api:8000", "CORSPROXY_ALLOW_ORIGINS": APP}


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch, tmp_path):
    """Neither this machine's variables nor its file decide whether a test passes."""
    for name in os.environ:
        if name.startswith("CORSPROXY_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(source, "DEFAULT_FILE", str(tmp_path / "default.yaml"))


def check(*arguments, **variables):
    return CliRunner().invoke(cli, ["check", *arguments], env=variables)


# What the flags stand for.


def table(result):
    """What ``check --json`` says, without where it was written."""
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    for rule in found["rules"]:
        del rule["where"]
    return found


@pytest.mark.parametrize(("line", "variables"), [(LINE, {}), ([], ALL)], ids=["flags", "variables"])
def test_flags_and_variables_are_the_same_configuration_as_yaml(tmp_path, line, variables):
    (tmp_path / "config.yaml").write_text(YAML)
    assert table(check("--json", *line, **variables)) == table(check("--json", "-c", str(tmp_path / "config.yaml")))


def test_they_build_the_same_config_object():
    values = {"upstream": "http://api:8000/v1", "allow_origin": (APP,), "max_age": "10m", "listen": ("0.0.0.0:8080",)}
    text = f"""
listen: 0.0.0.0:8080
policies: {{default: {{allow_origins: [{APP}], max_age: 10m}}}}
rules: [{{upstream: http://api:8000/v1, policy: default}}]
"""
    assert one_api(values) == load_config(text, "config.yaml", {}).config


def test_two_variables_are_enough():
    found = table(check("--json", **FEW))
    assert found["listen"] == ["127.0.0.1:8080"]
    assert found["admin"] is None
    assert found["policies"]["default"]["allow_methods"] == ["GET", "HEAD", "POST"]


def test_every_flag_stands_for_a_key_and_its_variable_has_the_keys_name():
    schema = Config.model_json_schema()["$defs"]
    known = {*Config.model_fields, *schema["PolicyConfig"]["properties"], *schema["RuleConfig"]["properties"]}
    assert {flag.key.rpartition(".")[2] for flag in FLAGS} <= known
    assert {flag.variable for flag in FLAGS} == set(ALL)


def test_a_list_reads_as_it_is_however_it_is_spaced():
    result = check("--json", **FEW | {"CORSPROXY_ALLOW_ORIGINS": f" {APP} ,\n https://b.example.com,"})
    assert table(result)["policies"]["default"]["allow_origins"] == [APP, "https://b.example.com"]


def test_an_empty_variable_is_not_set():
    """Compose files pass on ${NAME:-} whether it is there or not."""
    empty = dict.fromkeys(ALL, "") | {"CORSPROXY_CONFIG": ""}
    assert table(check("--json", **empty | FEW)) == table(check("--json", **FEW))


def test_a_value_is_not_looked_at_for_references():
    result = check(**FEW | {"CORSPROXY_ALLOW_ORIGINS": "https://${HOME}"})
    assert result.exit_code == 1
    assert "CORSPROXY_ALLOW_ORIGINS: " in result.stderr


def test_the_documentation_has_every_variable():
    rows = Document(source.Path(__file__).parents[2] / "docs/configuration.md").table("One API without a file")
    shown = [(flag.strip("`").split()[0], variable.strip("`"), key.strip("`")) for variable, flag, key in rows]
    assert shown == [(flag.name, flag.variable, flag.key.rpartition(".")[2]) for flag in FLAGS]


# What is wrong with them.


def test_every_problem_is_named_by_its_variable_at_once():
    wrong = {
        "CORSPROXY_UPSTREAM": "api:8000",
        "CORSPROXY_ALLOW_ORIGINS": f"{APP}/",
        "CORSPROXY_MAX_AGE": "10 parsecs",
        "CORSPROXY_LISTEN": "8080",
        "CORSPROXY_TRUSTED_PROXIES": "10.0.0.0/99",
    }
    result = check(**wrong)
    assert result.exit_code == 1
    found = {line.partition(": ")[0] for line in result.stderr.splitlines() if line.startswith("CORSPROXY_")}
    assert found == set(wrong)
    assert f"    {APP}\n" in result.stderr, "the correction"
    assert result.stderr.endswith("5 problems\n")


def test_a_problem_is_named_by_its_flag_where_a_flag_was_given():
    result = check("--max-age", "soon", **FEW)
    assert (result.exit_code, result.stderr.partition(": ")[0]) == (1, "--max-age")


def test_credentials_for_any_origin_are_refused_here_too():
    result = check(**FEW | {"CORSPROXY_ALLOW_ORIGINS": "*", "CORSPROXY_ALLOW_CREDENTIALS": "1"})
    assert result.exit_code == 1
    assert result.stderr.startswith("CORSPROXY_ALLOW_ORIGINS: ")


def test_what_is_neither_yes_nor_no_names_its_variable():
    result = check(**FEW | {"CORSPROXY_ALLOW_CREDENTIALS": "maybe"})
    assert result.exit_code == 2
    assert "CORSPROXY_ALLOW_CREDENTIALS" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        ([], {}, "nothing says what to serve; give -c FILE, or --upstream and --allow-origin"),
        ([], {"CORSPROXY_LISTEN": "0.0.0.0:8080"}, "nothing says what to serve"),  # the image sets it
        (
            [],
            {"CORSPROXY_UPSTREAM": "http://a"},
            "CORSPROXY_UPSTREAM needs --allow-origin (or CORSPROXY_ALLOW_ORIGINS)",
        ),
        ([], {"CORSPROXY_ALLOW_ORIGINS": APP}, "CORSPROXY_ALLOW_ORIGINS needs --upstream (or CORSPROXY_UPSTREAM)"),
        (
            [],
            FEW | {"CORSPROXY_CONFIG": "x"},
            "CORSPROXY_CONFIG and CORSPROXY_UPSTREAM, CORSPROXY_ALLOW_ORIGINS both say",
        ),
        (["-c", "x", "--upstream", "http://a"], {}, "-c and --upstream both say what to serve"),
        (["-c", "x", "--listen", "127.0.0.1:1"], {}, "-c and --listen both say what to serve"),
    ],
)
def test_wrong_usage_says_what_to_do(arguments, variables, said):
    result = check(*arguments, **variables)
    assert result.exit_code == 2
    assert said in result.stderr


# Which of them counts.


def write(path, upstream):
    path.write_text(config(upstream, listen="127.0.0.1:8080"))
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [
        (["-c", "{file}"], FEW, "http://of.the.file"),
        (["--upstream", "http://line"], FEW, "http://line"),
        (["--upstream", "http://line", "--allow-origin", APP], {"CORSPROXY_CONFIG": "{file}"}, "http://line"),
        ([], {"CORSPROXY_CONFIG": "{file}", "CORSPROXY_LISTEN": "0.0.0.0:8080"}, "http://of.the.file"),
        ([], {"CORSPROXY_LISTEN": "0.0.0.0:8080", "CORSPROXY_ADMIN": "127.0.0.1:1"}, "http://of.the.default"),
        ([], {}, "http://of.the.default"),
        ([], FEW, "http://api:8000"),  # what is said counts before the place where one looks unasked
    ],
)
def test_the_command_line_counts_before_the_environment(tmp_path, arguments, variables, expected):
    file = write(tmp_path / "config.yaml", "http://of.the.file")
    write(tmp_path / "default.yaml", "http://of.the.default")
    line = [text.replace("{file}", file) for text in arguments]
    result = check("--json", *line, **{name: text.replace("{file}", file) for name, text in variables.items()})
    found = table(result)
    assert found["rules"][0]["urls"] == [expected]
    assert found["listen"] == ["127.0.0.1:8080"]


def test_flags_beside_the_default_file_are_refused(tmp_path):
    write(tmp_path / "default.yaml", "http://of.the.default")
    result = check("--listen", "127.0.0.1:1")
    assert result.exit_code == 2
    assert "both say what to serve" in result.stderr


def test_a_source_is_read_anew_each_time(tmp_path):
    file = tmp_path / "config.yaml"
    write(file, "http://before")
    read = source.Source(str(file), {}, {}).read
    assert [str(endpoint) for endpoint in read().table.rules[0].upstream.endpoints] == ["http://before"]
    file.write_text(yaml.safe_dump({"rules": []}))
    with pytest.raises(InvalidConfig):
        read()


# The process.


async def test_a_process_is_configured_by_its_environment_alone(tmp_path):
    async with RawUpstream(answering(answer(b"200 OK", body=b"hello"))) as upstream:
        environment = {
            "CORSPROXY_UPSTREAM": upstream.url,
            "CORSPROXY_ALLOW_ORIGINS": APP,
            "CORSPROXY_ALLOW_METHODS": "PUT",
            "CORSPROXY_LISTEN": "127.0.0.1:0",
            "CORSPROXY_ADMIN": f"unix:{tmp_path}/admin.sock",
        }
        async with running("serve", environment=environment) as process:
            port = await process.port()
            response = await (await process.connect(port)).ask(b"GET /x", ORIGIN)
            assert (response.body, response.one(ACAO)) == (b"hello", APP.encode())
            assert (await (await process.connect(port)).ask(b"GET /x", STRANGER)).all(ACAO) == []
            assert (await (await process.connect(port)).ask(*preflight(b"PUT"))).status == 204
            await process.line("admin on unix:")
            assert await ran("healthcheck", environment=environment) == (0, "ready\n", "")
            assert (await process.ended(signal.SIGTERM)).code == 0
