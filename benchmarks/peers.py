"""Every proxy that is measured: its command, what it needs, and where its rule differs from everybody's."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from benchmarks import rule
from benchmarks.site import COMPILED, HERE, MAX_CONNECTIONS, ROOT, Launch, Site, Variation

BENCH_BIN: Final = Path(sys.executable).parent  # .venv-bench/bin
NODE: Final = HERE / "node"


@dataclass(frozen=True, slots=True)
class Peer:
    """One proxy."""

    name: str
    title: str
    launch: Callable[[Site], Launch]
    needs: tuple[str, ...] = ()  # commands or files
    install: str = ""  # how to get them
    prefix: Callable[[Site], str] = field(default=lambda _: "")  # what stands before the path of each request
    differs: str = ""  # from the rule that everybody gets
    cannot: Mapping[str, str] = field(default_factory=dict)  # capability -> why, where asking would take too long
    varies: frozenset[str] = frozenset()  # the fields of Variation that it knows, besides the upstream
    python: Path | None = None  # of a variant of this project
    environment: Mapping[str, str] = field(default_factory=dict)  # of a variant of this project

    def knows(self, variation: Variation) -> bool:
        """Whether its configuration here has what differs."""
        asked = {name for name, value in variation._asdict().items() if value != Variation._field_defaults[name]}
        return asked <= self.varies | {"upstream"}

    def cannot_vary(self, variation: Variation) -> str:
        """Why it cannot be configured so yet; empty when it can."""
        if variation.watched:
            return "not there yet: the inspector"
        if variation.workers > 1 and self.python and "--workers" not in serve_options(self.python):
            return "not there yet: `corsproxy serve` has no --workers"
        return ""

    def missing(self) -> str:
        """What has to be installed first; empty when it can run."""
        absent = [need for need in self.needs if not (Path(need).exists() if "/" in need else shutil.which(need))]
        return f"{', '.join(absent)} not found; {self.install}" if absent else ""


def _nginx_tuned(site: Site) -> Launch:
    proxied = "proxy_pass http://api;"
    config = site.write(
        "nginx-tuned.conf",
        WORKERS=site.variation.workers,
        ACCESS_LOG=f"{site.folder}/access.log combined buffer=64k flush=1s" if site.variation.access_log else "off",
        ORIGIN_MAP="\n".join(f'        "{origin}" $http_origin;' for origin in site.origins),
        LOCATIONS="\n".join(f"        location {path} {{ {proxied} }}" for path in site.paths),
    )
    return Launch(["nginx", "-e", str(site.folder / "nginx.error.log"), "-c", str(config)])


def _nginx_default(site: Site) -> Launch:
    config = site.write("nginx-default.conf")
    return Launch(["nginx", "-e", str(site.folder / "nginx.error.log"), "-c", str(config)])


def _haproxy(site: Site) -> Launch:
    return Launch(["haproxy", "-db", "-f", str(site.write("haproxy.cfg"))])


def _apache(site: Site) -> Launch:
    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    if user == "root":  # Apache refuses to run its workers as root
        user = group = "www-data"
    config = site.write(
        "apache.conf", USER=user, GROUP=group, ORIGIN_PATTERN=re.escape(rule.ORIGIN).replace("\\-", "-")
    )
    return Launch(["apache2", "-D", "FOREGROUND", "-f", str(config)])


def _envoy(site: Site) -> Launch:
    config = site.write("envoy.yaml")
    options = ["--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]
    return Launch([str(BENCH_BIN / "envoy"), "-c", str(config), *options])


def _caddy(site: Site) -> Launch:
    config = site.write("Caddyfile")
    command = [str(BENCH_BIN / "caddy"), "run", "--config", str(config), "--adapter", "caddyfile"]
    return Launch(command, {"GOMAXPROCS": "1", "HOME": str(site.folder)})


def _node(script: str) -> Callable[[Site], Launch]:
    return lambda site: Launch(["node", str(NODE / script)], site.environment)


def _local_cors_proxy(site: Site) -> Launch:
    options = ["--proxyUrl", f"http://127.0.0.1:{site.upstream_port}", "--port", str(site.port), "--proxyPartial", ""]
    script = str(NODE / "node_modules/local-cors-proxy/bin/lcp.js")
    return Launch(["node", script, *options, "--credentials", "--origin", rule.ORIGIN])


def _mitmproxy(site: Site) -> Launch:
    options = ["--listen-host", "127.0.0.1", "--listen-port", str(site.port), "--quiet"]
    settings = ["--set", f"confdir={site.folder}", "--set", "connection_strategy=lazy", "--set", "flow_detail=0"]
    reverse = ["--mode", f"reverse:http://127.0.0.1:{site.upstream_port}"]
    addon = ["--scripts", str(HERE / "configs/mitmproxy_cors.py")]
    return Launch([str(BENCH_BIN / "mitmdump"), *options, *settings, *reverse, *addon], site.environment)


def _aiohttp(site: Site) -> Launch:
    return Launch([sys.executable, str(HERE / "configs/aiohttp_proxy.py")], site.environment)


def _corsproxy(site: Site, python: Path, environment: Mapping[str, str]) -> Launch:
    config = site.folder / "corsproxy.yaml"
    config.write_text(corsproxy_yaml(site), "utf-8")
    command = [str(python), "-m", "corsproxy", "serve", "-c", str(config)]
    command += ["--access-log", "text" if site.variation.access_log else "off"]
    if site.variation.workers > 1:
        command += ["--workers", str(site.variation.workers)]
    return Launch(command, environment)


def corsproxy_yaml(site: Site) -> str:
    """The rule as this project's configuration."""
    upstream = f"http://127.0.0.1:{site.upstream_port}"
    rows = "".join(f"  - {{path: {path}, upstream: api, policy: web-app}}\n" for path in [*site.paths, "/"])
    origins = "".join(f"      - {origin}\n" for origin in site.origins)
    return (
        f"listen: 127.0.0.1:{site.port}\nadmin: 127.0.0.1:{site.admin_port}\n"
        f"limits: {{max_connections: {MAX_CONNECTIONS}}}\n"
        f"policies:\n  web-app:\n    allow_origins:\n{origins}    allow_methods: [{rule.METHODS}]\n"
        f"    allow_headers: [{rule.HEADERS}]\n    allow_credentials: true\n    max_age: {rule.MAX_AGE}\n"
        f"upstreams:\n  api: {{url: {upstream}}}\nrules:\n{rows}"
    )


def corsproxy(name: str, title: str, *, venv: str = ".venv", environment: Mapping[str, str] | None = None) -> Peer:
    """A variant of this project: the environment that it is installed in, and variables that choose among its parts."""
    python = ROOT / venv / "bin/python"
    return Peer(
        name,
        title,
        lambda site: _corsproxy(site, python, environment or {}),
        needs=(str(python),),
        install="scripts/bench makes it",
        varies=frozenset({"workers", "rules", "origins", "access_log", "watched"}),
        python=python,
        environment=environment or {},
    )


@cache
def serve_options(python: Path) -> str:
    """What ``corsproxy serve --help`` says."""
    return _output([str(python), "-m", "corsproxy", "serve", "--help"], {})


def is_compiled(variant: Peer) -> bool:
    """Whether the hot modules of a variant are compiled, as far as the one that every request goes through tells."""
    code = "import corsproxy.proxy.plan as module; print(module.__file__)"
    return _output([str(variant.python), "-c", code], variant.environment).strip().endswith((".so", ".pyd"))


def _output(command: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(  # noqa: S603  # of the environments that scripts/bench made
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=30, check=False
    )
    return done.stdout


# Best first: the first that is installed stands for the project wherever one line has to do.
VARIANTS: Final = (
    corsproxy("corsproxy", "corsproxy", environment=COMPILED),
    corsproxy("corsproxy-plain", "corsproxy, not compiled"),
    corsproxy("corsproxy-ordinary", "corsproxy, ordinary lane", environment={**COMPILED, "CORSPROXY_FAST_LANE": "off"}),
)

_DEBIAN: Final = "as root: apt-get install nginx-light haproxy apache2-bin wrk valgrind"
_PYPI: Final = "scripts/bench installs benchmarks/requirements.txt into .venv-bench"
_NPM: Final = "scripts/bench installs benchmarks/node/package-lock.json, with Node.js 20 and npm"

BASE: Final = Peer(
    "nginx",
    "nginx, tuned",
    _nginx_tuned,
    ("nginx",),
    _DEBIAN,
    varies=frozenset({"workers", "rules", "origins", "access_log"}),
)
PEERS: Final = (
    BASE,
    Peer("nginx-default", "nginx, default buffers", _nginx_default, ("nginx",), _DEBIAN),
    Peer("haproxy", "HAProxy", _haproxy, ("haproxy",), _DEBIAN),
    Peer("apache", "Apache", _apache, ("apache2",), _DEBIAN),
    Peer("envoy", "Envoy", _envoy, (str(BENCH_BIN / "envoy"),), _PYPI),
    Peer("caddy", "Caddy", _caddy, (str(BENCH_BIN / "caddy"),), _PYPI),
    Peer("undici", "Node.js, undici", _node("undici-proxy.js"), ("node", str(NODE / "node_modules/undici")), _NPM),
    Peer(
        "http-proxy-middleware",
        "http-proxy-middleware",
        _node("http-proxy-middleware.js"),
        ("node", str(NODE / "node_modules/http-proxy-middleware")),
        _NPM,
    ),
    Peer(
        "cors-anywhere",
        "cors-anywhere",
        _node("cors-anywhere.js"),
        ("node", str(NODE / "node_modules/cors-anywhere")),
        _NPM,
        prefix=lambda site: f"/http://127.0.0.1:{site.upstream_port}",
        differs="answers `*` to the allowed origin, without credentials, and grants whatever a preflight asks for",
        cannot={"websocket": "it does not take upgrades"},
    ),
    Peer(
        "local-cors-proxy",
        "local-cors-proxy",
        _local_cors_proxy,
        ("node", str(NODE / "node_modules/local-cors-proxy")),
        _NPM,
        differs="names the allowed origin in every answer, and grants whatever a preflight asks for",
        cannot={"websocket": "it does not take upgrades"},
    ),
    Peer("mitmproxy", "mitmproxy", _mitmproxy, (str(BENCH_BIN / "mitmdump"),), _PYPI),
    Peer("aiohttp", "aiohttp Application + ClientSession", _aiohttp, (str(BENCH_BIN / "python"),), _PYPI),
    *VARIANTS,
)


def subject() -> Peer:
    """The variant of this project that stands for it: the best one that is installed."""
    return next((variant for variant in VARIANTS if not variant.missing()), VARIANTS[-1])
