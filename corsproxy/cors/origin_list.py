"""The lists of origins that a policy has: read, and checked for what would make them dangerous.

Rules: what grants more than a careful reader expects is refused unless a key that begins with ``dangerously_`` asks for
it; nothing at all asks for credentials for any origin or for ``null``, since there every site on the web would act as
the user.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from corsproxy.cors.pattern import ANY, NULL, Pattern, parse_pattern
from corsproxy.cors.serialized import is_loopback
from corsproxy.cors.spec import PolicySpec
from corsproxy.cors.suffixes import is_public_suffix
from corsproxy.errors import InvalidOrigin, PolicyProblem

INSECURE = (
    "is not encrypted, so anyone on the way can act as your users; use https, or set dangerously_allow_insecure_origins"
)

Patterns = Mapping[int, Pattern]  # by their place in the list; an entry that is no pattern is missing


def read_patterns(field: str, texts: Sequence[str]) -> tuple[Patterns, list[PolicyProblem]]:
    """The patterns of a list, and a problem for each entry that is none or stands there twice."""
    patterns: dict[int, Pattern] = {}
    problems: list[PolicyProblem] = []
    seen: set[Pattern] = set()
    for index, text in enumerate(texts):
        try:
            pattern = parse_pattern(text)
        except InvalidOrigin as error:
            problems.append(PolicyProblem(field, index, str(error), error.correction))
            continue
        if pattern in seen:
            problems.append(PolicyProblem(field, index, f"{text!r} is listed twice; remove one"))
        seen.add(pattern)
        patterns[index] = pattern
    return patterns, problems


def list_problems(field: str, patterns: Patterns, spec: PolicySpec) -> Iterator[PolicyProblem]:
    """What is dangerous or pointless in a list of origins, whatever it grants."""
    for index, pattern in patterns.items():
        if pattern == ANY and len(set(patterns.values())) > 1:
            reason = "'*' stands among origins, which it covers already; write one or the other"
            yield PolicyProblem(field, index, reason)
        if pattern == NULL and not spec.dangerously_allow_null:
            reason = (
                "null is the origin of any sandboxed frame on any site; set dangerously_allow_null if that is meant"
            )
            yield PolicyProblem(field, index, reason, "dangerously_allow_null: true")
        if pattern.subdomains and not spec.dangerously_allow_public_suffix_subdomains:
            yield from _suffix_problems(field, index, pattern)


def _suffix_problems(field: str, index: int, pattern: Pattern) -> Iterator[PolicyProblem]:
    if is_public_suffix(pattern.host):
        reason = (
            f"anyone can register a name below {pattern.host}, and '{pattern}' allows it; "
            "name the domains that are yours, or set dangerously_allow_public_suffix_subdomains"
        )
        yield PolicyProblem(field, index, reason, "dangerously_allow_public_suffix_subdomains: true")


def credential_problems(patterns: Patterns, spec: PolicySpec) -> Iterator[PolicyProblem]:
    """What may not be granted to the allowed origins together with credentials."""
    if not spec.allow_credentials:
        return
    for index, pattern in patterns.items():
        if pattern in (ANY, NULL):
            reason = (
                f"'{pattern}' with credentials lets every site on the web act as your users; "
                "list the origins, or leave allow_credentials out"
            )
            yield PolicyProblem("allow_origins", index, reason, "allow_credentials: false")
        elif is_insecure(pattern.scheme, pattern.host) and not spec.dangerously_allow_insecure_origins:
            text = str(pattern)
            yield PolicyProblem("allow_origins", index, f"{text!r} {INSECURE}", text.replace("http:", "https:", 1))


def is_insecure(scheme: str, host: str) -> bool:
    """Whether whoever sits on the network can put a page under an origin of this scheme and host."""
    return scheme == "http" and not is_loopback(host)
