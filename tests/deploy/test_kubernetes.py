"""The manifests: valid, allowed under the restricted standard, and true of the program that they start."""

from __future__ import annotations

import copy
import shutil
import signal
import subprocess

import pytest
import yaml

from corsproxy.config.load import load_config
from tests.cli.running import running
from tests.deploy import manifests
from tests.deploy.manifests import KUBERNETES, containers, of_folder, one, pod_of, proxy_of, violations
from tests.documents import ROOT

FOLDERS = ["base", "sidecar"]
KUSTOMIZATIONS = [*FOLDERS, "overlays/production", "overlays/development"]
CONFIGS = sorted(KUBERNETES.rglob("config.yaml"))
KUSTOMIZE = shutil.which("kustomize") or shutil.which("kubectl")


@pytest.fixture(params=FOLDERS)
def folder(request):
    return of_folder(KUBERNETES / request.param)


@pytest.fixture
def pod(folder):
    return pod_of(folder)


# What Kubernetes would say.


@pytest.mark.parametrize("name", [*FOLDERS, "overlays/production"])
def test_every_manifest_is_valid(name):
    found = of_folder(KUBERNETES / name)
    assert found
    assert manifests.problems(found) == []


def test_a_misspelt_key_is_noticed(folder):
    one(folder, "Deployment")["spec"]["replica"] = 2
    assert any("replica" in problem for problem in manifests.problems(folder))


def test_the_restricted_standard_allows_every_pod(pod):
    assert list(violations(pod)) == []


@pytest.mark.parametrize(
    ("change", "noticed"),
    [
        (lambda pod: pod.update(hostNetwork=True), "hostNetwork"),
        (lambda pod: pod["volumes"].append({"name": "docker", "hostPath": {"path": "/run"}}), "volume docker"),
        (lambda pod: pod["securityContext"].pop("seccompProfile"), "corsproxy: seccompProfile"),
        (lambda pod: pod["securityContext"].pop("runAsNonRoot"), "corsproxy: runAsNonRoot"),
        (lambda pod: pod["securityContext"].update(runAsUser=0), "corsproxy: runAsUser"),
        (lambda pod: pod["securityContext"].update(sysctls=[{"name": "a", "value": "b"}]), "sysctls"),
        (lambda pod: proxy_of(pod)["securityContext"].pop("capabilities"), "corsproxy: capabilities"),
        (
            lambda pod: proxy_of(pod)["securityContext"]["capabilities"].update(add=["NET_ADMIN"]),
            "corsproxy: capabilities",
        ),
        (
            lambda pod: proxy_of(pod)["securityContext"].pop("allowPrivilegeEscalation"),
            "corsproxy: allowPrivilegeEscalation",
        ),
        (lambda pod: proxy_of(pod)["securityContext"].update(privileged=True), "corsproxy: privileged"),
        (lambda pod: proxy_of(pod)["ports"][0].update(hostPort=80), "corsproxy: hostPort"),
    ],
)
def test_a_planted_violation_is_noticed(change, noticed):
    pod = copy.deepcopy(pod_of(of_folder(KUBERNETES / "sidecar")))
    change(pod)
    assert noticed in list(violations(pod))


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_kustomize_renders_it(name):
    if KUSTOMIZE is None:
        pytest.skip("neither kustomize nor kubectl is here; the files are validated one by one all the same")
    command = [KUSTOMIZE, "build"] if KUSTOMIZE.endswith("kustomize") else [KUSTOMIZE, "kustomize"]
    done = subprocess.run([*command, str(KUBERNETES / name)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    rendered = manifests.documents(done.stdout)
    assert manifests.problems(rendered) == []
    assert list(violations(pod_of(rendered))) == []
    config = one(rendered, "ConfigMap")
    assert config["metadata"]["name"] == "corsproxy", "the name that the pod mounts"
    assert config["data"]["config.yaml"] == (KUBERNETES / name / "config.yaml").read_text("utf-8")


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_a_kustomization_names_files_that_exist(name):
    written = yaml.safe_load((KUBERNETES / name / "kustomization.yaml").read_text("utf-8"))
    files = [*written["resources"], *(file for made in written["configMapGenerator"] for file in made["files"])]
    assert [file for file in files if not (KUBERNETES / name / file).exists()] == []


# Whether the parts fit together.


def test_everything_selects_the_pods_that_there_are(folder):
    deployment = one(folder, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert one(folder, "Service")["spec"]["selector"] == labels
    for budget in (found for found in folder if found["kind"] == "PodDisruptionBudget"):
        assert budget["spec"]["selector"]["matchLabels"] == labels
    for scaler in (found for found in folder if found["kind"] == "HorizontalPodAutoscaler"):
        assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
        assert "replicas" not in deployment["spec"], "two who decide would undo each other"


def test_the_service_leads_to_the_proxy(folder):
    (port,) = one(folder, "Service")["spec"]["ports"]
    ports = {found["name"]: found["containerPort"] for found in proxy_of(pod_of(folder))["ports"]}
    assert port["targetPort"] in ports
    assert ports == {"http": 8080, "admin": 9901}


def test_the_configuration_is_mounted_as_a_folder_so_that_changes_arrive(pod):
    (mount,) = proxy_of(pod)["volumeMounts"]
    assert mount == {"name": "config", "mountPath": "/etc/corsproxy", "readOnly": True}
    assert pod["volumes"] == [{"name": "config", "configMap": {"name": "corsproxy"}}]


def test_every_container_says_what_it_needs_and_writes_nothing(pod):
    for container in containers(pod):
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert ":" in container["image"], "latest is whatever it was yesterday"


def test_variables_of_services_stay_out(pod):
    """A Service named corsproxy would set CORSPROXY_PORT and more (the container's environment)."""
    assert pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is False


def test_the_sidecar_is_a_native_one():
    pod = pod_of(of_folder(KUBERNETES / "sidecar"))
    assert pod["initContainers"] == [proxy_of(pod)]
    assert proxy_of(pod)["restartPolicy"] == "Always"
    assert "ports" not in pod["containers"][0], "nobody gets past the proxy"
    (rule,) = yaml.safe_load((KUBERNETES / "sidecar/config.yaml").read_text("utf-8"))["rules"]
    assert rule["upstream"].startswith("http://127.0.0.1:")


# Whether it is true of the program.


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.parent.relative_to(KUBERNETES)))
def test_every_configuration_is_valid_and_listens_where_the_pod_says(path):
    compiled = load_config(path.read_text("utf-8"), path.name, {})
    assert compiled.warnings == ()
    assert [str(listen) for listen in compiled.listen] == ["0.0.0.0:8080"]
    assert str(compiled.admin) == "0.0.0.0:9901", "the kubelet asks from outside of the pod"


@pytest.mark.parametrize("name", FOLDERS)
async def test_the_probes_are_answered(tmp_path, name):
    """By the program, started with what the pod gives it; only the ports are free ones here."""
    proxy = proxy_of(pod_of(of_folder(KUBERNETES / name)))
    text = (KUBERNETES / name / "config.yaml").read_text("utf-8")
    config = yaml.safe_load(text) | {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    environment = {entry["name"]: entry["value"] for entry in proxy.get("env", ())} | {"CORSPROXY_DRAIN_DELAY": "0s"}
    environment["CORSPROXY_CONFIG"] = str(tmp_path / "config.yaml")  # /etc/corsproxy/config.yaml there, unasked
    assert "args" not in proxy
    async with running("serve", environment=environment) as process:
        admin = int((await process.line("admin on ")).rpartition(":")[2])
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = proxy[probe]["httpGet"]
            assert asked["port"] == "admin"
            client = await process.connect(admin)
            answered = await client.ask(b"GET " + asked["path"].encode(), b"Host: 10.1.2.3:9901")
            assert answered.status == 200
        assert (await process.ended(signal.SIGTERM)).code == 0


def test_the_image_is_the_one_that_the_dockerfile_makes(pod):
    user = pod["securityContext"]
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    assert f"\nUSER {user['runAsUser']}:{user['runAsGroup']}\n" in dockerfile
