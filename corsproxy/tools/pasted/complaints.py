"""From what a browser printed to what to change: the request that the message is about, as far as it tells.

A console names the URL, the page and the reason, and hides the method and the headers.  What it hides is taken to be
the least that fits: a GET, a preflight where the message speaks of one, the named method or header, cookies where the
reason needs them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from corsproxy.cors.check import Blocked, Step, Verdict
from corsproxy.cors.fetch import Credentials, Request, Upload
from corsproxy.errors import CorsproxyError
from corsproxy.tools.explaining.explanation import Explanation, explain, explain_verdict
from corsproxy.tools.explaining.fix import NoFix
from corsproxy.tools.pasted.console import Complaint
from corsproxy.tools.written_config import WrittenConfig

_UNTOLD: Final = (
    "the message does not say which method and which headers the page asks with: the preflight names them in "
    "Access-Control-Request-Method and -Headers, and its answer has to grant them"
)
_WITH_CREDENTIALS: Final = frozenset({Blocked.WILDCARD_WITH_CREDENTIALS, Blocked.ALLOW_CREDENTIALS})


class IncompleteComplaint(CorsproxyError):
    """The message does not say enough; its text says what has to be added."""


def request_of(complaint: Complaint, origin: str = "", url: str = "") -> Request:
    """The request that a message is about; ``origin`` and ``url`` are for what it leaves out.

    Raises IncompleteComplaint.
    """
    origin, url = complaint.origin or origin, complaint.url or url
    if not origin:
        raise IncompleteComplaint(f"{complaint.browser} does not print the page's origin; add --origin")
    if not url:
        raise IncompleteComplaint(f"{complaint.browser} prints the URL in another line; paste that too, or add the URL")
    request = Request(url=url, origin=origin.encode("latin-1", "replace"))
    subject = complaint.subject.encode("latin-1", "replace")
    if complaint.blocked is Blocked.METHOD and subject:
        request = replace(request, method=subject)
    elif complaint.blocked is Blocked.HEADER and subject:
        request = replace(request, headers=((subject, b"?"),))
    elif complaint.step is Step.PREFLIGHT:
        request = replace(request, upload=Upload.WATCHED)  # a preflight that asks for nothing in particular
    if complaint.blocked in _WITH_CREDENTIALS:
        request = replace(request, credentials=Credentials.INCLUDE)
    return request


def explain_complaint(config: WrittenConfig | None, complaint: Complaint, request: Request) -> Explanation:
    """What a configuration makes of the request, and where that leaves the message; without one, what it means."""
    if config is None:
        subject = complaint.subject.encode("latin-1", "replace")
        verdict = Verdict(complaint.blocked, subject, complaint.step, complaint.at or request.url)
        explanation = explain_verdict(request, verdict, complaint.initiator)
        untold = (_UNTOLD,) if request.upload is Upload.WATCHED else ()
        return replace(explanation, lookalikes=(*explanation.lookalikes, *untold))
    explanation = explain(config, request, complaint.initiator)
    if explanation.blocked:
        return explanation
    why, *others = _why_then(complaint, explanation)
    return replace(explanation, fix=NoFix(why), lookalikes=(*others, *explanation.lookalikes))


def _why_then(complaint: Complaint, explanation: Explanation) -> list[str]:
    """What else may be the case, where this configuration would not have had the browser say so."""
    policy = explanation.rule.policy if explanation.rule else None
    remarks = []
    if complaint.step is Step.PREFLIGHT and complaint.blocked is Blocked.MISSING_ALLOW_ORIGIN and policy:
        spec = policy.spec
        remarks.append(
            f"the origin is allowed, so the preflight asked for a method or a header that is not: policy {policy.name} "
            f"grants the methods {', '.join(spec.allow_methods)} and the headers "
            f"{', '.join(spec.allow_headers) or '(none)'}; "
            "paste the call itself (Copy as fetch) to have the change worked out"
        )
    elif complaint.blocked in _NEVER_OURS:
        remarks.append(_NEVER_OURS[complaint.blocked])
    remarks.append(
        "with this configuration the browser would not have said so: it may not have been loaded when the page asked, "
        "or another server answered (look at host and port of the URL), or something between adds or removes headers; "
        "--live asks the server itself"
    )
    return remarks


_DOUBLED: Final = (
    "corsproxy never sends this header twice or with another value: something in front of it adds one of its own, "
    "or the page asks the API past the proxy"
)
_LISTS: Final = "corsproxy writes these lists itself and always well-formed: another server answered the preflight"
_NEVER_OURS: Final = {
    Blocked.MULTIPLE_ALLOW_ORIGIN: _DOUBLED,
    Blocked.INVALID_ALLOW_ORIGIN: _DOUBLED,
    Blocked.OTHER_ALLOW_ORIGIN: _DOUBLED,
    Blocked.MALFORMED_ALLOW_METHODS: _LISTS,
    Blocked.MALFORMED_ALLOW_HEADERS: _LISTS,
    Blocked.PREFLIGHT_REDIRECT: (
        "corsproxy answers preflights itself and never redirects them: the page asks another server, or one in front "
        "of the proxy redirects (to https, to a path with a slash)"
    ),
    Blocked.PREFLIGHT_STATUS: (
        "corsproxy answers an allowed preflight with success: another server answered, or one in front of the proxy"
    ),
}
