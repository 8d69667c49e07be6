from __future__ import annotations

import re

import pytest

from benchmarks import rule
from benchmarks.peers import BASE, PEERS, corsproxy_yaml
from benchmarks.site import HERE, Site, Variation, fill
from corsproxy.config.load import load_config

VARIATIONS = [Variation(), Variation(rules=10), Variation(origins=10), Variation(workers=2, access_log=True)]


def site(tmp_path, variation=Variation()):  # noqa: B008  # a tuple
    return Site(18080, 19901, 18000, tmp_path, variation)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_nothing_is_left_to_fill_in(peer, tmp_path):
    command, environment = peer.launch(site(tmp_path))
    written = "".join(path.read_text("utf-8") for path in tmp_path.iterdir())
    assert not re.search(r"@[A-Z_]+@", written)
    assert "18080" in written + " ".join(command) + environment.get("PORT", "")


@pytest.mark.parametrize("variation", VARIATIONS)
def test_our_own_configuration_is_the_rule(variation, tmp_path):
    compiled = load_config(corsproxy_yaml(site(tmp_path, variation)), "corsproxy.yaml", {})
    table = compiled.table
    assert compiled.warnings == ()
    assert len(table.rules) == variation.rules
    policy = table.rules[0].policy
    assert len(policy.spec.allow_origins) == variation.origins
    assert policy.allows_origin(rule.ORIGIN.encode())
    assert not policy.allows_origin(rule.STRANGER.encode())
    assert policy.judge_preflight(rule.ORIGIN.encode(), [b"PUT"], [b"authorization,content-type"], False).lines


def test_nginx_has_as_many_rules_origins_and_workers_as_we_have(tmp_path):
    BASE.launch(site(tmp_path, Variation(rules=10, origins=10, workers=2)))
    written = (tmp_path / "nginx-tuned.conf").read_text("utf-8")
    assert "worker_processes 2;" in written
    assert written.count("location /service-") == 9
    assert written.count("https://tenant-") == 9


def test_a_proxy_knows_what_its_template_can_say():
    assert BASE.knows(Variation(upstream="stream", workers=2))
    assert not BASE.knows(Variation(watched=True))
    envoy = next(peer for peer in PEERS if peer.name == "envoy")
    assert not envoy.knows(Variation(rules=10))


def test_a_name_without_a_value_is_an_error():
    assert fill("listen @PORT@ user@example.com", {"PORT": 1}) == "listen 1 user@example.com"
    with pytest.raises(KeyError):
        fill("@PORT@", {})


@pytest.mark.parametrize("folder", ["configs", "node"])
def test_no_configuration_names_a_port(folder):
    for path in (HERE / folder).glob("*.*"):
        if path.name != "package-lock.json":
            assert not re.search(r"127\.0\.0\.1:\d", path.read_text("utf-8")), path
