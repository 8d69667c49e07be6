"""What ``serve`` imports before it takes requests, in a real process: what it does not need yet must not creep back."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.cli.running import CLEAN

POLICY = "policies: {web: {allow_origins: ['https://app.example.com']}}"
TABLE = f"{POLICY}\nrules: [{{path: /, upstream: 'http://127.0.0.1:9', policy: web}}]\n"

# Each with who needs it.
NEVER = [
    "corsproxy.cli.check",
    "corsproxy.cli.dev",
    "corsproxy.cli.explanation_text",
    "corsproxy.cli.flag_advice",  # serve without a file
    "corsproxy.cli.inspecting",  # who has the inspector's token
    "corsproxy.config.examples",  # schema
    "corsproxy.config.schema",
    "corsproxy.config.tests",  # a table with tests in it
    "corsproxy.cors.browser",  # explain
    "corsproxy.demo",
    "corsproxy.server.exposition",  # who asks for /metrics
    "corsproxy.server.supervisor",  # several workers
    "corsproxy.server.tracing",  # OTEL_*
    "corsproxy.tools",
    "opentelemetry",
    "prometheus_client",
    "publicsuffixlist",  # a wildcard, or a denied origin's fix
    "re2",  # allow_origin_regex
    "rich",  # a terminal
    "trustme",  # dev --tls
]


@pytest.mark.parametrize(
    ("settings", "never"),
    [
        ("listen: 127.0.0.1:0\n", [*NEVER, "corsproxy.server.admin", "corsproxy.server.config_view"]),
        ("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n", NEVER),
    ],
    ids=["alone", "with admin"],
)
def test_serve_imports_nothing_that_it_does_not_need_at_the_start(tmp_path, settings, never):
    config = tmp_path / "config.yaml"
    config.write_text(settings + TABLE, "utf-8")
    command = [sys.executable, "-X", "importtime", "-m", "corsproxy", "serve", "-c", str(config)]
    errors = tmp_path / "errors"
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(command, env=CLEAN, stdout=subprocess.PIPE, stderr=stderr) as process,
    ):
        assert process.stdout
        assert b"listening on" in process.stdout.readline(), errors.read_text("utf-8")[-2000:]
        imported = set(re.findall(r"\| +(\S+)$", errors.read_text("utf-8"), re.MULTILINE))
        process.terminate()
        assert process.wait(30) == 0
    assert {"aiohttp", "corsproxy.server.process"} <= imported, "this is how it is seen"
    assert [name for name in never if any(f"{one}.".startswith(f"{name}.") for one in imported)] == []
