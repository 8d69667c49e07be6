"""What a page would notice of another answer; tests/server/test_shadowing.py holds it against the browser model."""

from __future__ import annotations

import pytest

from corsproxy.cors.decision import NO_POLICY, Decision, Outcome
from corsproxy.cors.fetch import Credentials, Request
from corsproxy.cors.flip import (
    NO_RULE,
    Asked,
    Change,
    Difference,
    Flip,
    Given,
    difference,
    remedy,
    said,
)

APP = b"https://app.example"
DENIED, GRANTED = Decision(Outcome.DENIED_ORIGIN, subject=APP), Decision(Outcome.ALLOWED)
OPEN = ((b"Access-Control-Allow-Origin", APP),)
ACAC = (b"Access-Control-Allow-Credentials", b"true")
ASKED = Decision(Outcome.PREFLIGHT_ALLOWED)
PAGE = Asked(APP, Credentials.SAME_ORIGIN, checked=True)
PREFLIGHT = PAGE._replace(preflight=Request(url="", origin=APP, method=b"PUT"))


@pytest.mark.parametrize(
    ("found", "decision", "words", "line"),
    [
        (
            Difference(Change.NEWLY_DENIED, Outcome.DENIED_ORIGIN, APP),
            DENIED,
            "would be denied: the origin https://app.example is not allowed",
            "add `- https://app.example` to allow_origins of policy web",
        ),
        (
            Difference(Change.NEWLY_DENIED, Outcome.PREFLIGHT_DENIED_METHOD, b"PUT"),
            Decision(Outcome.PREFLIGHT_DENIED_METHOD, subject=b"PUT"),
            "would be denied: the method PUT is not allowed",
            "add `PUT` to allow_methods of policy web",
        ),
        (
            Difference(Change.NEWLY_DENIED, "allow-credentials"),
            GRANTED,
            "would be denied: it carries cookies, and credentials are not allowed",
            "set `allow_credentials: true` in policy web",
        ),
        (
            Difference(Change.NEWLY_DENIED, NO_RULE),
            NO_POLICY,
            "would be denied: no rule matches",
            "add a rule for this host and path to the shadow",
        ),
        (
            Difference(Change.NEWLY_DENIED, "missing-allow-origin", b"{}"),
            NO_POLICY,
            "would be denied: a browser does not take the answer (missing-allow-origin)",
            "",
        ),
        (
            Difference(Change.NEWLY_ALLOWED, Outcome.DENIED_ORIGIN, b"{0}\xff"),
            GRANTED,
            "would be allowed; it is denied now: the origin {0}\\u00FF is not allowed",
            "",
        ),
        (
            Difference(Change.CHANGED, "credentials", b"-credentials +x-total"),
            GRANTED,
            "would be allowed with a difference: -credentials +x-total",
            "",
        ),
    ],
)
def test_words(found, decision, words, line):
    """Whatever a client sent is printable, and no format."""
    flip = Flip(found, decision, "/", "tried.yaml:1:1", "web", "tried.yaml:2:2")
    assert (said(flip), remedy(flip)) == (words, line)


@pytest.mark.parametrize(
    ("asked", "now", "then", "change"),
    [
        # the API decides, and was not asked: nobody knows
        (PAGE, Given(GRANTED, headers=OPEN), Given(NO_POLICY, headers=None), Change.UNKNOWN),
        (PAGE, Given(DENIED), Given(NO_POLICY, headers=None), Change.UNKNOWN),
        (PAGE, Given(NO_POLICY, headers=OPEN), Given(NO_POLICY, headers=()), Change.NEWLY_DENIED),
        # whoever is not let in for one reason is not let in for another
        (PAGE, Given(DENIED), Given(NO_POLICY, ruled=False), Change.SAME),
        # no page of another origin is concerned, and there is nothing to compare
        (PAGE._replace(checked=False), Given(NO_POLICY), Given(NO_POLICY, headers=None), Change.SAME),
        (PAGE._replace(checked=False), Given(NO_POLICY), Given(DENIED), Change.SAME),
        (PAGE._replace(checked=False), Given(NO_POLICY), Given(DENIED, stopped=True), Change.NEWLY_DENIED),
        # a preflight tells of no exposed headers, and of credentials it does
        (PREFLIGHT, Given(ASKED, headers=OPEN), Given(ASKED, headers=(*OPEN, (b"X-Total", b"3"))), Change.SAME),
        (PREFLIGHT, Given(ASKED, headers=OPEN), Given(ASKED, headers=(*OPEN, ACAC)), Change.CHANGED),
        # a preflight that the API answered
        (
            PREFLIGHT,
            Given(NO_POLICY, headers=OPEN),
            Given(ASKED, headers=OPEN),
            Change.NEWLY_ALLOWED,
        ),
    ],
)
def test_changes(asked, now, then, change):
    assert difference(asked, now, then).change is change
