""".pre-commit-hooks.yaml: what it would be run on, and that it says yes and no."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml

from tests import documents
from tests.documents import ROOT, Document

(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
GOOD = "rules: [{upstream: http://a, policy: none}]\n"


def test_it_is_a_hook():
    """What pre-commit requires of one (https://pre-commit.com/#creating-new-hooks), and what it is to run."""
    assert {"id", "name", "entry", "language"} <= set(HOOK)
    assert (HOOK["id"], HOOK["language"], HOOK["types"]) == ("corsproxy-check", "python", ["yaml"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert HOOK["entry"].split()[0] in project["scripts"]


@pytest.mark.parametrize(
    ("file", "runs"),
    [
        ("corsproxy.yaml", True),
        ("deploy/corsproxy.yml", True),
        ("corsproxy.production.yaml", True),
        ("corsproxy.tests.yaml", False),
        ("config.yaml", False),
        ("deploy/helm/corsproxy/values.yaml", False),
        ("notcorsproxy.yaml", False),
        ("corsproxy.schema.json", False),
    ],
)
def test_the_files_that_it_is_run_on(file, runs):
    assert bool(re.search(HOOK["files"], file) and not re.search(HOOK["exclude"], file)) == runs


def test_it_says_yes_and_no(tmp_path):
    (tmp_path / "corsproxy.yaml").write_text(GOOD)
    (tmp_path / "corsproxy.bad.yaml").write_text(GOOD.replace("none", "web"))
    assert documents.run(f"{HOOK['entry']} corsproxy.yaml", tmp_path).returncode == 0
    done = documents.run(f"{HOOK['entry']} corsproxy.yaml corsproxy.bad.yaml", tmp_path)
    assert done.returncode == 1
    assert "corsproxy.bad.yaml:1:38: unknown policy 'web'" in done.stdout


def test_the_documentation_names_it(tmp_path):
    used = [yaml.safe_load(block.text) for block in Document(ROOT / "docs" / "check.md").of("yml")]
    hooks = [hook for one in used for repo in one["repos"] for hook in repo["hooks"]]
    assert [hook["id"] for hook in hooks] == [HOOK["id"]] * 2
    _, both = hooks
    files = [file for file in both["args"] if file.endswith(".yaml")]
    assert all(re.search(both["files"], file) and not re.search(both["exclude"], file) for file in files)
    (tmp_path / files[0]).write_text(GOOD)
    (tmp_path / files[1]).write_text("tests: [{origin: https://a.example, expect: no-policy}]")
    assert documents.run(" ".join([HOOK["entry"], *both["args"]]), tmp_path).returncode == 0
