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

# Says when the garbage collector runs: it would look at everything that was imported, and nothing of that is garbage.
COLLECTIONS = """
import gc, sys
from corsproxy.cli.main import main
gc.callbacks.append(lambda *_: print("collected", file=sys.stderr, flush=True))
print("watched", file=sys.stderr, flush=True)
main()
"""


@pytest.mark.parametrize(
    ("settings", "never"),
    [
        ("listen: 127.0.0.1:0\n", [*NEVER, "corsproxy.server.admin", "corsproxy.server.config_view"]),
        ("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n", NEVER),
    ],
    ids=["alone", "with admin"],
)
def test_serve_imports_nothing_that_it_does_not_need_at_the_start(tmp_path, settings, never):
    told = told_at_the_start(tmp_path, settings, "-X", "importtime", "-m", "corsproxy")
    found = re.findall(r"\|( +)(\S+)$", told, re.MULTILINE)
    imported = {name for _, name in found}
    assert {"aiohttp", "corsproxy.server.process"} <= imported, "this is how it is seen"
    assert [name for name in never if any(f"{one}.".startswith(f"{name}.") for one in imported)] == []
    assert importer("aiohttp", found) == "corsproxy.proxy.authorities_later"


def test_nothing_is_collected_before_requests_are_taken(tmp_path):
    told = told_at_the_start(tmp_path, "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n", "-c", COLLECTIONS)
    assert told.splitlines() == ["watched"]


def told_at_the_start(folder, settings, *how):
    """What ``serve`` has written to standard error when it begins to take requests."""
    config, errors = folder / "config.yaml", folder / "errors"
    config.write_text(settings + TABLE, "utf-8")
    command = [sys.executable, *how, "serve", "-c", str(config)]
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(command, env=CLEAN, stdout=subprocess.PIPE, stderr=stderr) as process,
    ):
        assert process.stdout
        assert b"listening on" in process.stdout.readline(), errors.read_text("utf-8")[-2000:]
        told = errors.read_text("utf-8")
        process.terminate()
        assert process.wait(30) == 0
    return told


def importer(name, found):
    """Who imported a module first: a line comes after those of what it imports, which are indented."""
    names = [each for _, each in found]
    depth, later = len(found[names.index(name)][0]), found[names.index(name) :]
    return next(each for indent, each in later if len(indent) < depth)
