"""docs/probe.md shows what is printed, and names every finding."""

from __future__ import annotations

import re

import yaml
from click.testing import CliRunner

from corsproxy.cli.main import cli
from corsproxy.cli.probe_text import print_changes
from corsproxy.cors.fetch import WireRequest, WireResponse
from corsproxy.tools.probing.kinds import WORDS
from corsproxy.tools.probing.questions import Target
from corsproxy.tools.probing.watching import Watched, changes_between
from tests.documents import ROOT, Document, transcript
from tests.tools.probed import always, answer, conducted, letting_in, matching, probed, silent

PAGE = Document(ROOT / "docs/probe.md")
PAGES = letting_in(matching(r"^https://app\.example\.com(\.|$)"))


def api(asked: WireRequest) -> WireResponse:
    """An API behind a log-in that wants one for preflights too, and whose expression has no end."""
    return answer(401) if asked.method == b"OPTIONS" else PAGES(asked)


def test_the_findings_are_printed_as_shown(monkeypatch):
    monkeypatch.setattr("corsproxy.tools.probing.asking.probe", lambda target: conducted(api, target))
    command, printed = transcript(PAGE.of("console")[0])
    result = CliRunner().invoke(cli, command.split()[1:])
    assert result.stdout.splitlines() == printed


def test_the_rule_is_the_one_that_is_shown():
    report = probed(PAGES, Target("https://api.example.com/orders", ("https://app.example.com",)))
    assert yaml.safe_load(PAGE.of("yaml")[0].text) == yaml.safe_load(report.rule)


def test_the_findings_and_their_severities_are_the_codes():
    rows = re.findall(r"^\| `([a-z-]+)` \| ([a-z, ]+) \|", PAGE.prose, re.MULTILINE)
    expected = [
        (kind.value, str(words.severe) if words.severe is words.mild else f"{words.severe}, {words.mild}")
        for kind, words in WORDS.items()
    ]
    assert rows == expected


def test_changes_are_printed_as_shown(capsys):
    after = probed(always("Access-Control-Allow-Origin: *"))
    print_changes(Watched(after, tuple(changes_between(probed(silent), after))), as_json=False)
    shown = PAGE.of("text")[0].text.splitlines()
    assert [line for line in capsys.readouterr().out.splitlines() if line in shown] == shown
