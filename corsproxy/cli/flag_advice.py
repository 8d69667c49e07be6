"""How to allow what was denied where no file was written: the flags to start it again with."""

from __future__ import annotations

import shlex

from corsproxy.cors.decision import Decision, Outcome
from corsproxy.cors.origin import parse_origin
from corsproxy.cors.origin_list import is_insecure
from corsproxy.cors.words import advice, escaped, is_hopeless

_FLAGS = {
    Outcome.DENIED_ORIGIN: "--allow-origin",
    Outcome.PREFLIGHT_DENIED_ORIGIN: "--allow-origin",
    Outcome.PREFLIGHT_DENIED_METHOD: "--allow-method",
    Outcome.PREFLIGHT_DENIED_HEADERS: "--allow-header",
}


def advise_serve(decision: Decision, policy_name: str) -> str:
    """For ``serve --upstream``, whose flags can say all of a policy but its dangerous keys."""
    flags = _flags(decision)
    return f"start it again with `{flags}` as well" if flags else advice(decision, policy_name)


def advise_dev(decision: Decision, policy_name: str) -> str:
    """For ``dev``, whose policy only the origin can offend; what else it would allow is said too."""
    flags = _flags(decision)
    if not flags:
        return advice(decision, policy_name)
    scheme, host, _ = parse_origin(escaped(decision.subject))
    unwise = "; it is http, so that anyone on the way can act as it" if is_insecure(scheme, host) else ""
    return (
        f"start it again with `{flags}`, whose pages may then use the API with cookies, and one more for each other "
        f"origin that you need{unwise}"
    )


def _flags(decision: Decision) -> str:
    """The flags that grant what was denied; "" where none do."""
    subject, flag = escaped(decision.subject), _FLAGS.get(decision.outcome)
    if flag is None or is_hopeless(decision) or subject == "null":
        return ""
    return " ".join(f"{flag} {shlex.quote(value.strip())}" for value in subject.split(","))
