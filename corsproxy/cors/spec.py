"""The policy as the user wrote it, and every reason why it may not be compiled, its origins apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from corsproxy.cors.names import method_problems, request_header_problems, response_header_problems
from corsproxy.errors import PolicyProblem

# Firefox keeps a preflight this long at most, Chromium 7200 seconds, WebKit 600.
LONGEST_MAX_AGE = 86400
RESOURCE_POLICIES = ("same-origin", "same-site", "cross-origin")
ON_DENIED = ("forward", "reject")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    """What the user wrote, already of the right types.

    ``("*",)`` stands for any origin, method, request header or response header.
    """

    name: str
    allow_origins: tuple[str, ...] = ()
    allow_origin_regex: str | None = None
    allow_methods: tuple[str, ...] = ("GET", "HEAD", "POST")
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age: int | None = None  # seconds; 0 is sent as 0; None: nothing is sent, and browsers take 5
    allow_private_network: bool = False
    timing_allow_origins: tuple[str, ...] = ()
    cross_origin_resource_policy: str | None = None  # one of RESOURCE_POLICIES
    preflight_status: int = 204  # 200-299
    on_denied: str = "forward"  # one of ON_DENIED
    dangerously_allow_null: bool = False
    dangerously_allow_insecure_origins: bool = False
    dangerously_allow_public_suffix_subdomains: bool = False

    @property
    def exposes_actual(self) -> bool:
        """Whether the response's own headers have to be named, since ``*`` is literal with credentials."""
        return self.allow_credentials and self.expose_headers == ("*",)


def spec_problems(spec: PolicySpec) -> Iterator[PolicyProblem]:
    """What is wrong with a policy, apart from its origins."""
    yield from method_problems(spec.allow_methods)
    yield from request_header_problems(spec.allow_headers)
    yield from response_header_problems(spec.expose_headers)
    yield from _max_age_problems(spec.max_age)
    # https://fetch.spec.whatwg.org/#ok-status
    if not 200 <= spec.preflight_status <= 299:
        reason = f"{spec.preflight_status} makes every preflight fail; browsers take 200 to 299"
        yield PolicyProblem("preflight_status", None, reason, "preflight_status: 204")
    yield from _choice_problems("on_denied", spec.on_denied, ON_DENIED)
    if spec.cross_origin_resource_policy is not None:
        yield from _choice_problems(
            "cross_origin_resource_policy", spec.cross_origin_resource_policy, RESOURCE_POLICIES
        )


def _max_age_problems(seconds: int | None) -> Iterator[PolicyProblem]:
    if seconds is None:
        return
    if seconds < 0:
        reason = f"{seconds} seconds is negative; write 0 so that preflights are not cached"
        yield PolicyProblem("max_age", None, reason, "max_age: 0")
    if seconds > LONGEST_MAX_AGE:
        reason = (
            f"{seconds} seconds is longer than any browser caches a preflight; Firefox caps it at 24h, Chromium at 2h"
        )
        yield PolicyProblem("max_age", None, reason, "max_age: 24h")


def _choice_problems(field: str, value: str, choices: tuple[str, ...]) -> Iterator[PolicyProblem]:
    if value not in choices:
        yield PolicyProblem(field, None, f"{value!r} is not known; write one of {', '.join(choices)}")
