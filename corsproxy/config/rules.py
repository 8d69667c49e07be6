"""Rules, one by one."""

from __future__ import annotations

from typing import NamedTuple

from corsproxy.config.edits import compile_cookies, compile_headers
from corsproxy.config.exposure import check_credentials
from corsproxy.config.findings import Findings
from corsproxy.config.hosts import parse_literal_host, parse_rule_host
from corsproxy.config.model import LimitsConfig, RuleConfig, RuleLimitsConfig
from corsproxy.config.paths import parse_rule_path
from corsproxy.config.policies import NO_POLICY, Policies
from corsproxy.config.table import Rule, Treatment, Upstream
from corsproxy.config.upstreams import Upstreams
from corsproxy.config.written import Path
from corsproxy.cors.origin import parse_origin
from corsproxy.errors import InvalidOrigin
from corsproxy.http.location import LocationRewrite


class Context(NamedTuple):
    """What every rule is compiled with."""

    upstreams: Upstreams
    policies: Policies
    limits: LimitsConfig
    request_id: bytes
    findings: Findings
    treatments: dict[Treatment, Treatment]  # of the rules so far


def compile_rule(written: RuleConfig, path: Path, context: Context) -> Rule | None:
    """One row of the table; None where its place in the table or its upstream is not known."""
    findings = context.findings
    host = findings.parse((*path, "host"), parse_rule_host, written.host) if written.host else ""
    prefix = findings.parse((*path, "path"), parse_rule_path, written.path)
    upstream = context.upstreams.find((*path, "upstream"), written.upstream)
    policy = context.policies.find((*path, "policy"), written.policy, f"{written.host}{written.path} (inline)")
    forward_host = _forward_host(written, path, findings)
    forward_origin = _forward_origin(written, path, findings)
    limits = _limits(written, path, context)
    _check_upstream_cors(written, path, findings)
    request, response = compile_headers(written.headers, (*path, "headers"), context.request_id, findings)
    stripped = prefix if prefix and written.strip_prefix and prefix != "/" else ""
    base = upstream.base if upstream else b""
    cookies = compile_cookies(written.cookies, (*path, "cookies"), base, stripped.encode(), findings)
    if upstream is None or prefix is None or host is None:
        return None
    policy = policy if written.upstream_cors == "replace" else None
    check_credentials(written, upstream, policy, path, findings)
    return Rule(
        where=findings.where(path),
        host=host,
        path=prefix,
        upstream=upstream,
        policy=policy,
        strip=stripped.count("/"),
        max_request_body=limits.max_request_body,
        max_response_body=limits.max_response_body,
        request_body_timeout=limits.request_body_timeout,
        forward_host=forward_host,
        forward_origin=forward_origin,
        request_edits=request,
        response_edits=response,
        cookies=cookies,
        location=_location(upstream, forward_host, stripped),
        treatments=context.treatments,
    )


def _forward_host(written: RuleConfig, path: Path, findings: Findings) -> bytes | None:
    if written.forward_host == "upstream":
        return None
    if written.forward_host == "preserve":
        return b""
    return findings.parse((*path, "forward_host"), parse_literal_host, written.forward_host)


def _forward_origin(written: RuleConfig, path: Path, findings: Findings) -> bytes | None:
    if written.forward_origin == "keep":
        return None
    if written.forward_origin == "remove":
        return b""
    try:
        return str(parse_origin(written.forward_origin)).encode()
    except InvalidOrigin as invalid:
        findings.refuse((*path, "forward_origin"), str(invalid), invalid.correction)
        return None


def _limits(written: RuleConfig, path: Path, context: Context) -> RuleLimitsConfig:
    """The rule's own limits where it has them, else the listeners'."""
    own, general = written.limits, context.limits
    values: dict[str, float | None] = {}
    for key in RuleLimitsConfig.model_fields:
        bound, value = getattr(general, key), getattr(own, key)
        if key not in own.model_fields_set:
            value = bound
        elif bound is not None and (value is None or value > bound):
            message = f"a rule may only narrow the listeners' limit; raise {key} under limits, or lower it here"
            context.findings.refuse((*path, "limits", key), message)
        values[key] = value
    return own.model_copy(update=values)


def _check_upstream_cors(written: RuleConfig, path: Path, findings: Findings) -> None:
    keeps, none = written.upstream_cors == "keep", written.policy == NO_POLICY
    key = (*path, "upstream_cors")
    if keeps and not none:
        findings.warn(key, "the policy of this rule has no effect, since the upstream's CORS headers are kept")
    if none and not keeps and "upstream_cors" in written.model_fields_set:
        findings.refuse(key, "without a policy there is nothing to replace the upstream's CORS headers with", "keep")


def _location(upstream: Upstream, forward_host: bytes | None, prefix: str) -> LocationRewrite:
    """References to the upstream lead back to this rule, by whatever name the upstream knows itself."""
    urls = set(map(str, upstream.endpoints))
    if forward_host:
        schemes = ("https" if endpoint.tls else "http" for endpoint in upstream.endpoints)
        urls |= {f"{scheme}://{forward_host.decode('ascii')}" for scheme in schemes}
    return LocationRewrite.create(sorted(urls), upstream.base.decode("ascii"), prefix)
