"""Traefik's dynamic configuration: there is no Traefik to run here, so what is tried is what stands in it."""

import yaml

from corsproxy.tools.exporting.targets import TARGETS, export
from corsproxy.tools.written_config import WrittenConfig
from tests.tools.exporting.tables import TABLE


def exported(text):
    return yaml.safe_load(export(WrittenConfig.read(text, "config.yaml", {}), TARGETS["traefik"]).text)["http"]


def test_whatever_is_named_is_there():
    http = exported(TABLE.format(port=1, upstream=2, dead=3))
    for router in http["routers"].values():
        assert set(router["middlewares"]) <= set(http["middlewares"])
        assert router["service"] in http["services"]
    for service in http["services"].values():
        assert service["loadBalancer"]["serversTransport"] in http["serversTransports"]


def test_the_most_specific_rule_has_the_highest_priority():
    http = exported(TABLE.format(port=1, upstream=2, dead=3))
    rules = [router["rule"] for router in sorted(http["routers"].values(), key=lambda router: -router["priority"])]
    exact = rules.index('Host("exact.example.com") && (Path("/only") || PathPrefix("/only/"))')
    anywhere = [rule for rule in rules if "Host" not in rule]
    assert rules[-len(anywhere) :] == anywhere
    assert exact < rules.index(anywhere[0])
    assert anywhere.index('(Path("/app/special") || PathPrefix("/app/special/"))') < anywhere.index(
        '(Path("/app") || PathPrefix("/app/"))'
    )


def test_a_policy_is_a_middleware_that_removes_what_the_upstream_says():
    (headers,) = exported(
        "rules: [{upstream: 'http://a:1', policy: "
        "{allow_origins: [https://*.a.example], allow_headers: '*', max_age: 0}}]"
    )["middlewares"].values()
    assert headers["headers"] == {
        "accessControlAllowMethods": ["GET", "HEAD", "POST"],
        "accessControlAllowHeaders": ["*", "Authorization"],
        "accessControlAllowOriginListRegex": [r"^(?:https://(?:[a-z0-9_-]+\.)+a\.example)$"],
        "accessControlMaxAge": 0,
        "addVaryHeader": True,
        "customResponseHeaders": dict.fromkeys(
            [
                *("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods"),
                *("Access-Control-Allow-Headers", "Access-Control-Expose-Headers", "Access-Control-Max-Age"),
                "Timing-Allow-Origin",
            ],
            "",
        ),
    }
