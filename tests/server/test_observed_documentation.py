"""docs/operations.md names every metric and every field of the access log, and nothing else."""

from __future__ import annotations

import io
import json
import re

from corsproxy.cors.decision import Outcome
from corsproxy.proxy.exchange import Exchange
from corsproxy.server.access_log import EVERYTHING, JsonLog
from corsproxy.server.metric_families import FAMILIES
from tests.documents import ROOT, Document, codes

PAGE = Document(ROOT / "docs/operations.md")


def test_the_table_of_metrics_is_the_code():
    rows = [
        (name.strip("`"), kind, tuple(codes(labels)), meaning) for name, kind, labels, meaning in PAGE.table("Metrics")
    ]
    assert rows == [(family.name, str(family.kind), family.labels, family.help) for family in FAMILIES.values()]


def test_the_table_of_fields_is_the_code():
    line = JsonLog(io.StringIO(), EVERYTHING).line(Exchange("", b"", b"", b"", b""))
    assert [name.strip("`") for name, _ in PAGE.table("The access log")] == list(json.loads(line))


def test_every_outcome_is_named():
    assert {str(outcome) for outcome in Outcome} <= set(codes(PAGE.section("Metrics")))


def test_queries_ask_for_metrics_that_there_are():
    named = set(re.findall(r"corsproxy_[a-z_]+", PAGE.text))
    known = {f"{name}{end}" for name in FAMILIES for end in ("", "_bucket", "_sum", "_count")}
    assert named <= known
