"""Probing again and again: what is said to have changed, and when."""

from __future__ import annotations

import asyncio

import pytest

from corsproxy.tools.probing.asking import Unreachable
from corsproxy.tools.probing.questions import Target
from corsproxy.tools.probing.watching import watch
from tests.tools.probed import APP, URL, always, conducted, letting_in, silent

OPEN = always("Access-Control-Allow-Origin: *")
APP_ONLY = letting_in(lambda origin: origin == APP, credentials=False)
GONE = None  # no answer


def watched(*apis):
    """The changes of each time, the clock being a list: each wait is over when it begins."""
    script = list(apis)

    async def probe():
        api = script.pop(0)
        if api is GONE:
            raise Unreachable("gone")
        return await conducted(api, Target(URL))

    async def wait():
        waits.append(len(script))

    waits = []

    async def all_of_it():
        seen = []
        async for once in watch(probe, wait):
            seen.append([(change.kind.value, change.subject) for change in once.changes])
            assert (once.report is None) is (apis[len(seen) - 1] is GONE)
            if not script:
                break
        return seen

    seen = asyncio.run(all_of_it())
    assert waits == list(range(len(apis) - 1, 0, -1))
    return seen


def test_nothing_changes():
    assert watched(silent, silent, silent) == [[], [], []]


def test_an_api_that_repeats_origins_is_the_same_api():
    assert watched(APP_ONLY, APP_ONLY) == [[], []]


def test_headers_of_its_own_come_first():
    came = [("header-came", "Access-Control-Allow-Origin"), ("finding-came", "any-origin")]
    first, second = watched(silent, OPEN)
    assert first == []
    assert second[0] == came[0]
    assert came[1] in second
    assert ("finding-went", "no-cors") in second


def test_headers_that_went():
    (_, changes) = watched(OPEN, silent)
    assert changes[0] == ("header-went", "Access-Control-Allow-Origin")
    assert ("finding-came", "no-cors") in changes


def test_the_same_finding_with_another_severity_is_another():
    (_, changes) = watched(letting_in(lambda _: True, credentials=False), letting_in(lambda _: True))
    assert ("finding-came", "any-origin") in changes
    assert ("finding-went", "any-origin") in changes
    assert ("header-came", "Access-Control-Allow-Credentials") in changes


def test_no_answer_is_said_once_and_what_has_changed_meanwhile_is_not_lost():
    seen = watched(silent, GONE, GONE, OPEN)
    assert seen[1:3] == [[("unreachable", "gone")], []]
    assert seen[3][:2] == [("reachable", URL), ("header-came", "Access-Control-Allow-Origin")]


def test_an_api_that_does_not_answer_at_first_is_not_watched():
    with pytest.raises(Unreachable):
        watched(GONE)
