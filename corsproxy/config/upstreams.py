"""Upstreams, by name and by URL."""

from __future__ import annotations

import re
from dataclasses import replace

from corsproxy.config.addresses import is_upstream_url, parse_endpoint
from corsproxy.config.findings import Findings
from corsproxy.config.hosts import parse_server_name
from corsproxy.config.model import Config, HealthCheckConfig, TimeoutsConfig, UpstreamConfig, UpstreamTlsConfig
from corsproxy.config.names import check_name
from corsproxy.config.paths import parse_check_path
from corsproxy.config.sections import meant
from corsproxy.config.table import Endpoint, HealthCheck, Timeouts, Upstream, UpstreamTls
from corsproxy.config.written import Path

_ADDRESS = re.compile(r"[:/@]|\..*\.")  # what looks like host:port, a path or a domain, and not like a name

_UNVERIFIED = (
    "the certificate of this upstream is not verified, so whoever is on the way to it can read and change everything;"
    " name its authority under ca instead"
)


class Upstreams:
    """The upstreams of a configuration, compiled once each, so that rules share their connections."""

    def __init__(self, config: Config, findings: Findings) -> None:
        self.findings = findings
        self.endpoints: dict[Path, Endpoint] = {}  # where each one is written
        self.named = {name: self._named(name, written) for name, written in config.upstreams.items()}
        self.by_url: dict[str, Upstream | None] = {}
        self.used: set[str] = set()

    def find(self, path: Path, text: str) -> Upstream | None:
        """The upstream that a rule names at ``path``, or None after the problem was recorded."""
        if is_upstream_url(text):
            if text not in self.by_url:
                self.by_url[text] = self._compile(text, {path: text}, TimeoutsConfig())
            return self.by_url[text]
        self.used.add(text)
        if text not in self.named:
            self._unknown(path, text)
        return self.named.get(text)

    def warn_of_unused(self) -> None:
        """Record the names that no rule uses."""
        for name in self.named:
            if name not in self.used:
                message = f"no rule uses the upstream {name!r}; remove it, or name it in a rule"
                self.findings.warn(("upstreams", name), message)

    def _unknown(self, path: Path, text: str) -> None:
        if not _ADDRESS.search(text) or meant(text, self.named):
            self.findings.refer(path, "upstream", text, self.named)
        elif self.findings.parse(path, parse_endpoint, f"http://{text}"):
            self.findings.refuse(path, f"{text!r} is no URL without a scheme", f"http://{text}")

    def _named(self, name: str, written: UpstreamConfig) -> Upstream | None:
        path: Path = ("upstreams", name)
        check_name(path, self.findings)
        if written.url and written.urls:
            self.findings.refuse((*path, "urls"), "an upstream has either url or urls; list all of them under urls")
            return None
        urls = {(*path, "url"): written.url} if written.url else {}
        urls |= {(*path, "urls", index): url for index, url in enumerate(written.urls)}
        if not urls:
            key = "urls" if "urls" in written.model_fields_set else "url"
            self.findings.refuse((*path, key), "an upstream needs a url", line="url: http://127.0.0.1:8000")
            return None
        upstream = self._compile(name, urls, written.timeouts)
        check = self._health_check((*path, "health_check"), written.health_check, len(urls))
        if upstream is None:
            return None
        return replace(
            upstream,
            tls=self._tls((*path, "tls"), written.tls, upstream.endpoints),
            max_requests=written.max_requests,
            max_queue=written.max_queue,
            health_check=check,
        )

    def _health_check(self, path: Path, written: HealthCheckConfig | None, urls: int) -> HealthCheck | None:
        if written is None:
            return None
        if urls == 1:
            # One that fails its checks is asked all the same: nothing else is there to ask.
            self.findings.warn(path, "with one url there is no other to turn to, so the check changes nothing")
        target = self.findings.parse((*path, "path"), parse_check_path, written.path)
        return None if target is None else HealthCheck(target, written.interval, written.timeout)

    def _tls(self, path: Path, written: UpstreamTlsConfig, endpoints: tuple[Endpoint, ...]) -> UpstreamTls:
        present = written.model_fields_set
        for key in ("ca", "cert", "key"):
            if key in present and not getattr(written, key):
                self.findings.refuse((*path, key), "the path of a file is missing")
        if written.key and "cert" not in present:
            self.findings.refuse((*path, "key"), "a key without a certificate proves nothing; add cert")
        if present and not any(endpoint.tls for endpoint in endpoints):
            self.findings.refuse(path, "no URL of this upstream begins with https, so there is no TLS to set up")
        if not written.verify and "ca" in present:
            self.findings.refuse((*path, "verify"), "with false nothing would be verified by ca; remove one of them")
        elif not written.verify:
            self.findings.warn((*path, "verify"), _UNVERIFIED)
        name = written.server_name
        if "server_name" in present:
            name = self.findings.parse((*path, "server_name"), parse_server_name, name) or ""
        return UpstreamTls(written.ca, written.cert, written.key, name, written.verify)

    def _compile(self, name: str, urls: dict[Path, str], timeouts: TimeoutsConfig) -> Upstream | None:
        parsed = {path: self.findings.parse(path, parse_endpoint, url) for path, url in urls.items()}
        known = {path: endpoint for path, endpoint in parsed.items() if endpoint}
        self.endpoints |= {path: endpoint for path, (endpoint, _) in known.items()}
        bases = {base for _, base in known.values()}
        seen = set()
        for path, (endpoint, base) in known.items():
            if endpoint in seen:
                self.findings.refuse(path, f"{urls[path]!r} is listed twice; remove one of them")
            seen.add(endpoint)
            if len(bases) > 1 and base != next(iter(known.values()))[1]:
                self.findings.refuse(path, f"{urls[path]!r} has another base path than the first; they must be alike")
        if len(known) < len(urls):
            return None
        limits = Timeouts(**timeouts.model_dump())
        return Upstream(name, tuple(endpoint for endpoint, _ in known.values()), bases.pop(), limits)
