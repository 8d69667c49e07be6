"""Tests of the table: what the user may write, in the configuration or in a file of its own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from corsproxy.config.kinds import Texts
from corsproxy.config.section import Section

# What can be expected.  All but the first three are the words of the log and the metrics (``cors.outcome``) or, of what
# a browser refuses although the policy denies nothing, the reasons of ``corsproxy explain --json`` (``cors.check``).
Expected = Literal[
    "allowed",
    "blocked",
    "no-rule",
    "no-policy",
    "denied-origin",
    "preflight-denied-origin",
    "preflight-denied-method",
    "preflight-denied-headers",
    "wildcard-with-credentials",
    "allow-credentials",
]


class TableTestConfig(Section):
    """What a page does, as with fetch(), and what it should get; several origins, methods and paths are tests each."""

    origin: Texts = Field(
        description="Origin of the page, as browsers send it: `https://app.example.com`; a list is a test each."
    )
    method: Texts = Field(default=["GET"], description="What the page asks with; a list is a test each.")
    path: Texts = Field(
        default=["/"], description="What the page asks for, with a query or without; a list is a test each."
    )
    host: str = Field(
        default="", description="Host that the page asks, where rules have hosts; left out: one that no rule names."
    )
    headers: Texts = Field(
        default_factory=list,
        description="Headers that the page's script sets, all of them at once: names, or `Name: value` in quotes.",
    )
    credentials: bool = Field(default=False, description="Whether cookies go along: `credentials: 'include'`.")
    expect: Expected = Field(
        default="allowed",
        description="What becomes of it: `allowed`, `blocked` for whatever reason, `no-rule` (404, 421), or a reason.",
    )


class TestsFileConfig(Section):
    """A file of tests beside a configuration."""

    tests: list[TableTestConfig] = Field(
        description="What pages ask for and should get, tried by `corsproxy check --tests`."
    )
