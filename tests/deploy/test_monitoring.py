"""Dashboard and alert rules: what Prometheus' own tool says of them, and that every metric in them exists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
import yaml

from corsproxy.server.metric_families import FAMILIES
from tests.documents import ROOT

FOLDER = ROOT / "deploy" / "monitoring"
ALERTS = (FOLDER / "alerts.yaml").read_text("utf-8")
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
PROMTOOL = shutil.which("promtool")
METRIC = re.compile(r"\bcorsproxy_[a-z_]+\b")


def rules():
    return [rule for group in yaml.safe_load(ALERTS)["groups"] for rule in group["rules"]]


def panels():
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions():
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    asked = [found["query"]["query"] for found in DASHBOARD["templating"]["list"] if found["type"] == "query"]
    return [*(rule["expr"] for rule in rules()), *shown, *asked]


def promtool(*arguments, folder=FOLDER):
    if PROMTOOL is None:
        pytest.skip("promtool is not here; apt-get install prometheus")
    return subprocess.run([PROMTOOL, *arguments], check=False, cwd=folder, capture_output=True, text=True)


# What promtool says.


def test_the_rules_are_valid():
    done = promtool("check", "rules", "alerts.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_when_it_should_and_not_otherwise():
    done = promtool("test", "rules", "alerts_test.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", [rule["alert"] for rule in rules()])
def test_the_tests_notice_an_alert_that_is_gone(tmp_path, name):
    kept = [rule for rule in rules() if rule["alert"] != name]
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump({"groups": [{"name": "corsproxy", "rules": kept}]}))
    shutil.copy(FOLDER / "alerts_test.yaml", tmp_path)
    assert promtool("test", "rules", "alerts_test.yaml", folder=tmp_path).returncode == 1


def test_the_queries_of_the_dashboard_are_valid(tmp_path):
    """Prometheus parses them as the rules of alerts, Grafana's variables replaced."""
    texts = [target["expr"] for panel in panels() for target in panel["targets"]]
    replaced = [text.replace("$__rate_interval", "5m").replace("$job", "corsproxy") for text in texts]
    written = [{"alert": f"A{index}", "expr": text} for index, text in enumerate(replaced)]
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": written}]}))
    done = promtool("check", "rules", "queries.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


# What holds in any case.


def test_every_alert_says_what_it_means_and_how_bad_it_is():
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "description"}


def test_every_panel_has_its_place_and_says_what_it_shows():
    cells = set()
    for panel in panels():
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}", "whoever imports it chooses"
        place = (panel["gridPos"]["x"], panel["gridPos"]["y"])
        assert place not in cells
        cells.add(place)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_every_metric_exists():
    series = {
        f"{name}{suffix}"
        for name, family in FAMILIES.items()
        for suffix in (("_bucket", "_sum", "_count") if family.bounds else ("",))
    }
    used = {metric for text in expressions() for metric in METRIC.findall(text)}
    assert used - series == set()


def test_every_label_exists():
    labels = {label for family in FAMILIES.values() for label in family.labels} | {"le", "job", "instance", "alertname"}
    named = re.compile(r"by \(([\w, ]+)\)|[{,] ?(\w+)!?=~?\"")
    used = {
        label
        for text in expressions()
        for groups in named.findall(text)
        for label in ", ".join(filter(None, groups)).split(", ")
    }
    assert used - labels == set()
