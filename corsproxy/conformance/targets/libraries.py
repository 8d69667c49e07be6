"""Applications with a library's CORS: Flask-CORS, django-cors-headers, Starlette, and Express's cors.

Rules: the options are those that the library's documentation gives for what the policy says; where a library has a
default that grants more, the option that does not is given; the handler behind it asks the vectors' upstream.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

from corsproxy.conformance.model import Setting
from corsproxy.conformance.process import free_port, process
from corsproxy.conformance.target import Place, Settings, Site, Target
from corsproxy.conformance.targets.abilities import lacking, origins_of, seconds

_APPLICATIONS: Final = Path(__file__).resolve().parent.parent / "applications"
_HOST: Final = "127.0.0.1"
_EVERY_METHOD: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
Options = dict[str, Any]
_OF_A_PROXY: Final = {
    "hygiene": "what is forwarded is not a library's business",
    "override": "there is no upstream with CORS headers of its own behind an application",
    "websocket": "it is not asked for WebSockets",
}
_NO_UPGRADES: Final = {"websocket": "it takes no WebSockets as it is configured here"}


class _Application(Target):
    """A program in the folder of applications, with one setting."""

    kind = "library"
    package: ClassVar[str]
    abilities: ClassVar[frozenset[str]]
    beyond: ClassVar[Mapping[str, str]] = _OF_A_PROXY  # topic -> why its vectors are not about this target

    def cannot_ask(self, topic: str) -> str:
        return self.beyond.get(topic, "")

    def cannot(self, setting: Setting) -> str:
        return lacking(setting, self.abilities)

    def options(self, setting: Setting) -> Options:
        """The library's own options."""
        raise NotImplementedError

    def command(self, told: str) -> Sequence[str]:
        """What starts the program with its one argument."""
        return [sys.executable, "-W", "ignore", "-m", "corsproxy.conformance.applications.python_app", told]

    def prefix(self, site: Site, setting: Setting) -> str:  # noqa: ARG002  # for those that need it
        """What stands before each path."""
        return ""

    @asynccontextmanager
    async def serving(self, settings: Settings, site: Site) -> AsyncIterator[Mapping[str, Place]]:
        ((name, setting),) = settings.items()
        port = free_port()
        told = {
            "library": self.name,
            "host": _HOST,
            "port": port,
            "upstream": site.upstream_of(setting),
            "path": setting.path,
            "methods": [method for method in setting.policy.allow_methods if method not in {"*", *_EVERY_METHOD}],
            "policy": self.options(setting),
        }
        environment = {"NODE_PATH": node_path()}
        async with process(self.command(json.dumps(told)), port=port, folder=site.folder, environment=environment):
            yield {name: Place(_HOST, port, f"{_HOST}:{port}", self.prefix(site, setting))}


class _Python(_Application):
    needs: ClassVar[tuple[str, ...]] = ()  # distributions

    def version(self) -> str:
        return importlib.metadata.version(self.package)

    def missing(self) -> str:
        absent = [name for name in (self.package, *self.needs) if not _is_installed(name)]
        return f"not installed; pip install {' '.join(absent)}" if absent else ""


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


class FlaskCors(_Python):
    """``CORS(app, ...)``; a text with a character of expressions is one there, so all are escaped."""

    name = "flask-cors"
    title = "Flask-CORS"
    package = "flask-cors"
    abilities = frozenset({"path", "allow_origin_regex", "allow_private_network"})

    def options(self, setting: Setting) -> Options:
        policy = setting.policy
        texts, expressions = origins_of(setting)
        options: Options = {
            "origins": [*texts, *expressions],
            "methods": list(_EVERY_METHOD) if policy.allow_methods == ["*"] else policy.allow_methods,
            "allow_headers": "*" if policy.allow_headers == ["*"] else policy.allow_headers,
            "expose_headers": policy.expose_headers or None,
            "supports_credentials": policy.allow_credentials,
            "send_wildcard": not policy.allow_credentials,
            "max_age": seconds(setting),
            "allow_private_network": policy.allow_private_network,
        }
        return {"resources": {rf"{setting.path}(/|$)" if setting.path else r"/*": options}}


class DjangoCorsHeaders(_Python):
    """Its settings."""

    name = "django-cors-headers"
    title = "django-cors-headers"
    package = "django-cors-headers"
    abilities = frozenset({"path", "allow_origin_regex", "allow_private_network"})

    def options(self, setting: Setting) -> Options:
        policy = setting.policy
        texts, expressions = origins_of(setting)
        return {
            "CORS_ALLOW_ALL_ORIGINS": "*" in texts,
            "CORS_ALLOWED_ORIGINS": [text for text in texts if text != "*"],
            "CORS_ALLOWED_ORIGIN_REGEXES": expressions,
            "CORS_URLS_REGEX": rf"^{re.escape(setting.path)}(/|$)" if setting.path else r"^.*$",
            "CORS_ALLOW_METHODS": policy.allow_methods,
            "CORS_ALLOW_HEADERS": policy.allow_headers,
            "CORS_EXPOSE_HEADERS": policy.expose_headers,
            "CORS_PREFLIGHT_MAX_AGE": seconds(setting) or 0,
            "CORS_ALLOW_CREDENTIALS": policy.allow_credentials,
            "CORS_ALLOW_PRIVATE_NETWORK": policy.allow_private_network,
        }


class Starlette(_Python):
    """``CORSMiddleware``, which is FastAPI's too."""

    name = "starlette"
    title = "Starlette, FastAPI"
    package = "starlette"
    needs = ("uvicorn",)
    abilities = frozenset({"allow_origin_regex", "allow_private_network"})

    def options(self, setting: Setting) -> Options:
        policy = setting.policy
        texts, expressions = origins_of(setting)
        return {
            "allow_origins": texts,
            "allow_origin_regex": "|".join(expressions) or None,
            "allow_methods": policy.allow_methods,
            "allow_headers": policy.allow_headers,
            "expose_headers": policy.expose_headers,
            "allow_credentials": policy.allow_credentials,
            "max_age": seconds(setting) or 0,
            **({"allow_private_network": True} if policy.allow_private_network else {}),
        }


class _Node(_Application):
    def command(self, told: str) -> Sequence[str]:
        return ["node", str(_APPLICATIONS / "node_app.js"), told]

    def missing(self) -> str:
        if not shutil.which("node"):
            return "Node.js is not installed"
        return "" if _package_json(self.package) else f"not installed; npm install {self.package}, here or in NODE_PATH"

    def version(self) -> str:
        file = _package_json(self.package)
        return str(json.loads(file.read_text("utf-8"))["version"]) if file else ""


def node_path() -> str:
    """Where Node.js packages are looked for: where the user says, and here."""
    return os.pathsep.join(filter(None, [os.environ.get("NODE_PATH", ""), str(Path("node_modules").resolve())]))


def _package_json(package: str) -> Path | None:
    files = (Path(folder, package, "package.json") for folder in node_path().split(os.pathsep))
    return next((file for file in files if file.exists()), None)


class ExpressCors(_Node):
    """``app.use(cors({...}))``; a list of one is given as a list, since a text is sent to everybody."""

    name = "express-cors"
    title = "Express, cors"
    package = "cors"
    abilities = frozenset({"path", "allow_origin_regex"})

    def missing(self) -> str:
        return super().missing() or ("" if _package_json("express") else "not installed; npm install express")

    def options(self, setting: Setting) -> Options:
        policy = setting.policy
        texts, expressions = origins_of(setting)
        options: Options = {
            "origin": "*" if texts == ["*"] else {"texts": texts, "expressions": expressions},
            "methods": policy.allow_methods,
            "exposedHeaders": policy.expose_headers,
            "credentials": policy.allow_credentials,
            "optionsSuccessStatus": policy.preflight_status,
        }
        if policy.allow_headers != ["*"]:  # left out, it echoes what is asked for
            options["allowedHeaders"] = policy.allow_headers
        age = seconds(setting)
        return options if age is None else {**options, "maxAge": age}


class HttpProxyMiddleware(ExpressCors):
    """The same cors, before a proxy that takes away the upstream's own headers."""

    name = "http-proxy-middleware"
    title = "http-proxy-middleware, cors"
    kind = "proxy"
    abilities = frozenset({"path", "allow_origin_regex", "refusing"})
    beyond = _NO_UPGRADES

    def missing(self) -> str:
        name = "http-proxy-middleware"
        return super().missing() or ("" if _package_json(name) else f"not installed; npm install {name}")

    def version(self) -> str:
        file = _package_json("http-proxy-middleware")
        own = json.loads(file.read_text("utf-8"))["version"] if file else ""
        return f"{own}, cors {super().version()}"


class CorsAnywhere(_Node):
    """A proxy that takes the upstream from the path; it grants every method and header, and never credentials."""

    name = "cors-anywhere"
    title = "cors-anywhere"
    kind = "proxy"
    package = "cors-anywhere"
    abilities = frozenset({"refusing"})
    beyond = _NO_UPGRADES

    def cannot(self, setting: Setting) -> str:
        policy = setting.policy
        if policy.allow_credentials:
            return "it never grants credentials"
        if policy.allow_methods != ["*"] or policy.allow_headers != ["*"] or policy.expose_headers != ["*"]:
            return "it grants every method and header, and exposes all of them"
        return super().cannot(setting)

    def options(self, setting: Setting) -> Options:
        texts, _ = origins_of(setting)
        age = seconds(setting)
        whitelist = [] if texts == ["*"] else texts
        return {"originWhitelist": whitelist, "corsMaxAge": age or 0, "removeHeaders": []}

    def prefix(self, site: Site, setting: Setting) -> str:
        return "/http://{}:{}".format(*site.upstream_of(setting))


class LocalCorsProxy(_Node):
    """Its own command; it names one origin in every answer, grants every header and the methods of Express's cors."""

    name = "local-cors-proxy"
    title = "local-cors-proxy"
    kind = "proxy"
    package = "local-cors-proxy"
    abilities = frozenset({"refusing"})
    beyond = _NO_UPGRADES

    def cannot(self, setting: Setting) -> str:
        policy = setting.policy
        if len(policy.allow_origins) != 1:
            return "it takes one origin, or any"
        if policy.allow_methods != ["*"] or policy.allow_headers != ["*"]:
            return "it grants every header, and the same methods always"
        return super().cannot(setting)

    def options(self, setting: Setting) -> Options:
        return {"origin": setting.policy.allow_origins[0], "credentials": setting.policy.allow_credentials}

    def command(self, told: str) -> Sequence[str]:
        said = json.loads(told)
        file = _package_json(self.package)
        program = file.parent / "bin/lcp.js" if file else Path("lcp.js")
        upstream = "http://{}:{}".format(*said["upstream"])
        policy = said["policy"]
        command = ["node", str(program), "--proxyUrl", upstream, "--port", str(said["port"]), "--proxyPartial", ""]
        return [*command, "--origin", policy["origin"], *(["--credentials"] if policy["credentials"] else [])]
