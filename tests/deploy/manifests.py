"""Kubernetes manifests as tests read them: validated, and judged by the "restricted" Pod Security Standard."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from tests.documents import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
VERSIONS = ("1.31", "1.34")  # the sleep of preStop is there by default from 1.30 on

Manifest = dict[str, Any]


def documents(text: str) -> list[Manifest]:
    """The manifests of a YAML stream."""
    return [document for document in yaml.safe_load_all(text) if document]


def of_folder(folder: Path) -> list[Manifest]:
    """The manifests in the files of a folder."""
    texts = [path.read_text("utf-8") for path in sorted(folder.glob("*.yaml"))]
    return [
        found for text in texts for found in documents(text) if "kind" in found and found["kind"] != "Kustomization"
    ]


def problems(manifests: Iterable[Manifest]) -> list[str]:
    """What Kubernetes' own schemas have to say, unknown keys included."""
    found = []
    for version, manifest in itertools.product(VERSIONS, list(manifests)):
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{version}: {manifest['kind']}: {error.message}")
    return found


def one(manifests: Iterable[Manifest], kind: str) -> Manifest:
    """The only manifest of its kind."""
    (found,) = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found


def pod_of(manifests: Iterable[Manifest]) -> Manifest:
    """The pod of the only Deployment."""
    spec: Manifest = one(manifests, "Deployment")["spec"]["template"]["spec"]
    return spec


def containers(pod: Manifest) -> list[Manifest]:
    """Every container of a pod, init containers included."""
    return [*pod.get("initContainers", ()), *pod["containers"]]


def proxy_of(pod: Manifest) -> Manifest:
    """The proxy's container."""
    (found,) = [container for container in containers(pod) if container["name"] == "corsproxy"]
    return found


# What the restricted standard allows as volumes.
_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"),
}


def violations(pod: Manifest) -> Iterator[str]:
    """What the "restricted" standard forbids, its "baseline" included.

    https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield key
    for volume in pod.get("volumes", ()):
        if set(volume) - {"name"} - _VOLUMES:
            yield f"volume {volume['name']}"
    outer = pod.get("securityContext", {})
    if outer.get("sysctls"):
        yield "sysctls"
    for container in containers(pod):
        yield from (f"{container['name']}: {what}" for what in _of_container(container, outer))


def _of_container(container: Manifest, outer: Manifest) -> Iterator[str]:
    own = container.get("securityContext", {})
    effective = {**outer, **own}
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", ()) or set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
        yield "capabilities"
    if effective.get("runAsNonRoot") is not True:
        yield "runAsNonRoot"
    if effective.get("runAsUser") == 0:
        yield "runAsUser"
    if effective.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "seccompProfile"
    if effective.get("appArmorProfile", {}).get("type", "RuntimeDefault") not in {"RuntimeDefault", "Localhost"}:
        yield "appArmorProfile"
    if effective.get("procMount", "Default") != "Default":
        yield "procMount"
    if any(port.get("hostPort") for port in container.get("ports", ())):
        yield "hostPort"
