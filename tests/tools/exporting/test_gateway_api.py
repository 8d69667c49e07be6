"""HTTPRoutes: what the API's own schema says of them, and what stands in them."""

import json
import shutil
import subprocess

import pytest
import yaml

from corsproxy.tools.exporting.targets import TARGETS, export
from corsproxy.tools.written_config import WrittenConfig
from tests.apps.serving import cannot
from tests.documents import ROOT
from tests.tools.exporting.tables import TABLE

NODE = ROOT / "tests/apps/node"
# The schema is generated from the API's own Go types; the package throws what is wrong.
JUDGE = """
import { HTTPRoute } from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1";
import { readFileSync } from "node:fs";
const said = JSON.parse(readFileSync(0, "utf-8")).map((route) => {
  try { new HTTPRoute(route).validate(); return ""; } catch (error) { return error.message; }
});
console.log(JSON.stringify(said));
"""


def exported(text):
    result = export(WrittenConfig.read(text, "config.yaml", {}), TARGETS["gateway-api"])
    return list(yaml.safe_load_all(result.text))


def judged(routes):
    """What the schema says against each object."""
    if not (NODE / "node_modules/@kubernetes-models").exists() or not shutil.which("node"):
        cannot("tests/apps/node is not installed; scripts/test does it")
    command = [shutil.which("node"), "--input-type=module", "-e", JUDGE]
    done = subprocess.run(
        command, input=json.dumps(routes), cwd=NODE, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_schema_of_the_api_takes_every_object():
    routes = exported(TABLE.format(port=1, upstream=2, dead=3))
    assert judged(routes) == [""] * len(routes)
    assert len(routes) == 5


def test_the_schema_is_no_rubber_stamp():
    (route, *_) = exported(TABLE.format(port=1, upstream=2, dead=3))
    route["spec"]["rules"][0]["filters"] = [{"type": "CORS", "cors": {"allowOrigins": ["nonsense"], "maxAge": 0}}]
    (said,) = judged([route])
    assert "allowOrigins/0 must match pattern" in said
    assert "maxAge must be >= 1" in said


SERVICES = [  # the URL of an upstream, and the backend that is referred to
    ("http://orders:8000", {"name": "orders", "port": 8000}),
    ("http://orders.shop.svc.cluster.local:8000", {"name": "orders", "port": 8000, "namespace": "shop"}),
    ("http://10.0.0.7", {"name": "http-10-0-0-7", "port": 80}),
    ("http://api.example.com", {"name": "http-api-example-com", "port": 80}),
]


@pytest.mark.parametrize(("url", "backend"), SERVICES)
def test_an_upstream_is_a_service(url, backend):
    (route,) = exported(f"rules: [{{upstream: '{url}', policy: none}}]")
    assert route["spec"]["rules"][0]["backendRefs"] == [backend]


def test_a_host_with_many_rules_has_several_objects():
    rules = "".join(f"  - {{path: /{number}, upstream: 'http://a:1', policy: none}}\n" for number in range(20))
    routes = exported(f"rules:\n{rules}")
    assert [len(route["spec"]["rules"]) for route in routes] == [16, 4]
    assert judged(routes) == ["", ""]
