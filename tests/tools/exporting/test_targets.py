"""What each target loses, at which line and in which words; and that docs/export.md says the same."""

import pytest

from corsproxy.tools.exporting.features import Feature
from corsproxy.tools.exporting.targets import TARGETS, export
from corsproxy.tools.written_config import WrittenConfig
from tests.documents import ROOT

BASE = "policies:\n  p: {allow_origins: [https://a.example]}\nrules:\n  - upstream: http://127.0.0.1:1\n    policy: p\n"


def written(text):
    return WrittenConfig.read(text, "config.yaml", {})


def lost(target, text):
    return [str(difference) for difference in export(written(text), TARGETS[target]).differences]


@pytest.mark.parametrize("name", ["envoy", "nginx"])
def test_an_ordinary_table_loses_nothing(name):
    assert lost(name, BASE) == []


_TLS = "{{address: '127.0.0.1:{0}', tls: {{cert: /{0}, key: /{0}}}}}"
LOSSES = [
    ("nginx", "    cookies: {same_site: none}\n", "6:5: the upstream's cookies pass as they are, so that browsers"),
    ("envoy", "    limits: {max_request_body: 1KiB}\n", "6:14: clients may send bodies of more than 1024 bytes"),
    ("nginx", "    forward_origin: remove\n", "6:5: the upstream sees the Origin of the page itself"),
    ("nginx", "trusted_proxies: [10.0.0.0/8]\n", "6:1: the upstream is told the address of the proxy in front"),
    ("nginx", f"listen: [{_TLS.format(2)}, {_TLS.format(3)}]\n", "6:1: every listener has the certificates, and"),
    ("caddy", f"listen: ['127.0.0.1:2', {_TLS.format(3)}]\n", "6:1: all listeners want TLS, and clients without it"),
    ("envoy", "request_id: {header: X-Id}\n", "6:1: requests have no name, or the one that the client gives them"),
]


@pytest.mark.parametrize(("name", "more", "said"), LOSSES)
def test_what_is_lost_is_said_at_its_line(name, more, said):
    (difference,) = lost(name, BASE + more)
    assert difference.startswith(f"config.yaml:{said}")


def test_the_differences_stand_in_the_output_too():
    result = export(written(BASE + "    forward_origin: remove\n"), TARGETS["nginx"])
    assert result.text.splitlines()[1] == f"# DIFFERENCE: {result.differences[0]}"


def mark(target, feature):
    return "yes" if feature in target.kept else "elsewhere" if feature in target.elsewhere else "**no**"


def test_the_documentation_has_what_each_target_keeps():
    titles = [target.title for target in TARGETS.values()]
    rows = [f"| | {' | '.join(titles)} |", "|---|" + "---|" * len(titles)]
    for feature in Feature:
        marks = [mark(target, feature) for target in TARGETS.values()]
        rows.append(f"| {feature.value} | {' | '.join(marks)} |")
    table = "\n".join(rows)
    assert table in (ROOT / "docs/export.md").read_text("utf-8"), f"the table is now:\n{table}"
