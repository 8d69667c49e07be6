"""What a rule changes in headers and cookies."""

from __future__ import annotations

from dataclasses import replace

from corsproxy.config.findings import Findings
from corsproxy.config.hosts import parse_domain
from corsproxy.config.model import Config, CookiesConfig, EditsConfig, HeadersConfig
from corsproxy.config.paths import parse_cookie_path
from corsproxy.config.written import Path
from corsproxy.http.cookies import CookieRewrite
from corsproxy.http.fields import FieldEdits, InvalidEdits, compile_edits

# Headers that another key decides on, so that two parts of a configuration cannot contradict each other.
_REQUEST = {
    "origin": "forward_origin decides on it",
    "x-forwarded-for": "the proxy writes it, see trusted_proxies",
    "x-forwarded-host": "the proxy writes it, see trusted_proxies",
    "x-forwarded-proto": "the proxy writes it, see trusted_proxies",
    "via": "the proxy writes it",
}
_RESPONSE = {
    "vary": "the proxy merges what the upstream and the policy need",
    "timing-allow-origin": "timing_allow_origins of the policy decides on it",
    "cross-origin-resource-policy": "cross_origin_resource_policy of the policy decides on it",
}


def compile_request_id(config: Config, findings: Findings) -> bytes:
    """The header that names requests, as written; b"" for none."""
    if config.request_id is None:
        return b""
    name, path = config.request_id.header, ("request_id", "header")
    if reason := _REQUEST.get(name.lower()):
        findings.refuse(path, f"{name!r} cannot carry a name; {reason}", "X-Request-Id")
        return b""
    try:
        compile_edits({name: ""}, {}, ())
    except InvalidEdits as invalid:
        findings.refuse(path, f"{name!r} {invalid.problems[0].message}", "X-Request-Id")
        return b""
    return name.encode()


def compile_headers(
    written: HeadersConfig, path: Path, request_id: bytes, findings: Findings
) -> tuple[FieldEdits, FieldEdits]:
    """The edits of the request and of the response; nobody but ``request_id`` decides on the header that it names."""
    taken = request_id.lower()
    managed = {**_REQUEST, taken.decode(): "request_id decides on it"} if taken else _REQUEST
    request = _edits(written.request, (*path, "request"), managed, findings)
    if taken:
        request = replace(request, removed=request.removed | {taken})
    response = _edits(written.response, (*path, "response"), _RESPONSE, findings)
    return request, response


def compile_cookies(
    written: CookiesConfig, path: Path, base: bytes, prefix: bytes, findings: Findings
) -> CookieRewrite | None:
    """How cookies are changed; None: not at all."""
    if written.domain not in {None, "remove"}:
        findings.parse((*path, "domain"), parse_domain, str(written.domain))
    if written.path is not None:
        findings.parse((*path, "path"), parse_cookie_path, written.path)
    if written.secure is False and (written.same_site == "none" or written.partitioned):
        findings.refuse((*path, "secure"), "browsers refuse such a cookie without Secure", line="secure: true")
        return None
    if not (written.model_fields_set or base or prefix):
        return None
    return CookieRewrite(**written.model_dump(), base=base, prefix=prefix)


def _edits(written: EditsConfig, path: Path, managed: dict[str, str], findings: Findings) -> FieldEdits:
    for key, names in (("set", written.set), ("add", written.add), ("remove", written.remove)):
        for name in names:
            if reason := _reason(name, managed):
                _refuse(path, key, name, f"{name!r} is not set here; {reason}", written, findings)
    try:
        return compile_edits(written.set, written.add, written.remove)
    except InvalidEdits as invalid:
        for key, name, message in invalid.problems:
            _refuse(path, key, name, f"{name!r} {message}", written, findings)
        return FieldEdits()


def _reason(name: str, managed: dict[str, str]) -> str:
    if managed is _RESPONSE and name.lower().startswith("access-control-"):
        return "the policy decides on it"
    return managed.get(name.lower(), "")


def _refuse(path: Path, key: str, name: str, message: str, written: EditsConfig, findings: Findings) -> None:
    if key == "remove":
        findings.refuse((*path, key, written.remove.index(name)), message)
    else:
        findings.refuse_key((*path, key, name), message)
