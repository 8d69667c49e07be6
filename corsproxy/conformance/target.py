"""A target: a server that vectors are run against, and how it comes to run with a setting.

Rules: a target knows settings and no vector; its configuration is the best that it can do with a setting, written from
its documentation; what it cannot express it says before it is started, so that a vector is "cannot" and not "failed".
"""

from __future__ import annotations

import abc
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import ClassVar

from corsproxy.conformance.model import Setting
from corsproxy.errors import CorsproxyError

# What a target serves at one time, by name.
Settings = Mapping[str, Setting]


class Refused(CorsproxyError):
    """The target does not start with a setting, because it takes it for unsafe or wrong."""


class Broken(CorsproxyError):
    """The target could not be run at all; nothing can be said about any vector."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a setting is served.

    ``authority`` is what clients write into Host, and ``prefix`` what stands before each path; with ``path`` all
    vectors go to that one, as it stands.
    """

    host: str
    port: int
    authority: str
    prefix: str = ""
    path: str = ""
    tls: SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """What a target finds when it is started: the upstreams, and a folder for its files."""

    upstream: tuple[str, int]  # plays the vectors' upstream
    refusing: tuple[str, int]  # refuses connections
    folder: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def upstream_of(self, setting: Setting) -> tuple[str, int]:
        """The host and port that a setting has behind it."""
        return self.upstream if setting.upstream == "vectors" else self.refusing


class Target(abc.ABC):
    """A server under test."""

    name: ClassVar[str]  # on the command line: lower case, without spaces
    title: ClassVar[str]  # in tables
    kind: ClassVar[str] = "proxy"  # or "library": a server that answers by itself, with the library's CORS
    notes: ClassVar[tuple[str, ...]] = ()  # what readers of a table have to know about its configuration here

    @abc.abstractmethod
    def version(self) -> str:
        """The version that would run."""

    def missing(self) -> str:
        """What has to be installed first, and how; "" when it can run."""
        return ""

    def cannot(self, setting: Setting) -> str:  # noqa: ARG002  # for those that cannot
        """Why this setting cannot be expressed; "" when it can."""
        return ""

    def cannot_ask(self, topic: str) -> str:  # noqa: ARG002  # for those of another kind
        """Why the vectors of a topic are about something that this target is not; "" when they are not."""
        return ""

    def batches(self, settings: Settings) -> Iterator[Settings]:
        """Which settings one server takes at the same time: each its own, unless the target says otherwise."""
        for name, setting in settings.items():
            yield {name: setting}

    @abc.abstractmethod
    def serving(self, settings: Settings, site: Site) -> AbstractAsyncContextManager[Mapping[str, Place]]:
        """Run a server with a batch of settings until the context is left; it gives the place of each.

        Raises Refused where the target takes a setting for unsafe, and Broken where it does not come to run.
        """
