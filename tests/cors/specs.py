"""Policies for tests: written briefly, compiled, and their problems and lines in a shape that tables can hold."""

from __future__ import annotations

from dataclasses import replace

from corsproxy.cors.policy import Policy, PolicySpec, compile_policy
from corsproxy.errors import InvalidPolicy

SPEC = PolicySpec(name="web-app", allow_origins=("https://app.example.com",))


def compiled(**keys) -> Policy:
    """A policy that allows https://app.example.com, and what the keys change of it."""
    return compile_policy(replace(SPEC, **keys))


def problems_of(**keys):
    """The problems of such a policy; () when it compiles."""
    try:
        compiled(**keys)
    except InvalidPolicy as error:
        return error.problems
    return ()


def lines_of(decision):
    """The header lines of a decision, in their order; each must be whole."""
    assert not decision.lines or decision.lines.endswith(b"\r\n")
    pairs = [line.split(b": ", 1) for line in decision.lines.split(b"\r\n")[:-1]]
    assert all(value and b"\n" not in value and b"\r" not in value for _, value in pairs)
    return [(name.decode(), value.decode("latin-1")) for name, value in pairs]
