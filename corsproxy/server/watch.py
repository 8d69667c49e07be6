"""Whether the configuration has changed: its file, and those that it names, compared by what they hold.

It names a shadow, and files of TLS.

The files are read again once a second: a few reads of small files cost nothing, and they see whatever way a file was
replaced in, on every file system.  Notifications do not: a watch on a file is lost with a rename (an editor, the
symbolic links of a ConfigMap), and network file systems have none.  A change counts once it has been seen twice alike,
so that a file which is written piece by piece is not taken in the middle.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from corsproxy.errors import InvalidConfig

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled
    from corsproxy.server.config_file import ConfigFile

INTERVAL: Final = 1.0  # seconds between two looks

_SHOWN: Final = 12  # hexadecimal digits of a digest

_MOUNTS: Final = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")


class Change(NamedTuple):
    """What the configuration's file holds, and which of those that it names hold something else than those in use."""

    content: bytes | None  # None: it cannot be read
    renewed: frozenset[str]


class Watch:
    """What is in force, and what the files hold."""

    def __init__(self, source: ConfigFile, content: bytes, compiled: Compiled) -> None:
        self.source = source
        self._files = named_files(compiled)
        self._in_force = self._seen = self._told = self._digests(content)

    @property
    def config_hash(self) -> str:
        """The digest of the configuration's text that is in force, for people."""
        return self._in_force[self.source.file][:_SHOWN]

    @property
    def told_hash(self) -> str:
        """The same of the text that was told last."""
        return self._told[self.source.file][:_SHOWN]

    def look(self) -> Change | None:
        """A change that has not been told, once it has been seen twice alike."""
        content = self._read()
        digests = self._digests(content)
        settled, self._seen = digests == self._seen, digests
        return self._tell(content, digests) if settled and digests != self._told else None

    def now(self) -> Change:
        """What the files hold now, changed or not, settled or not."""
        content = self._read()
        return self._tell(content, self._digests(content))

    def accept(self, compiled: Compiled) -> None:
        """What was told last is in force now."""
        self._files = named_files(compiled)
        self._in_force = self._told = self._told | {file: _digest(file) for file in self._files - self._told.keys()}
        self._seen = self._told

    def is_in_force(self, content: bytes | None) -> bool:
        """Whether this is the text of the configuration in force."""
        return content is not None and self._in_force[self.source.file] == _hash(content)

    def accept_tried(self) -> None:
        """What was told last is tried now, beside the configuration in force; of that only certificates are new."""
        self._in_force = self._told | {self.source.file: self._in_force[self.source.file]}

    def _tell(self, content: bytes | None, digests: Mapping[str, str]) -> Change:
        self._told = self._seen = dict(digests)
        renewed = {file for file in self._files if digests[file] != self._in_force.get(file)}
        return Change(content, frozenset(renewed))

    def _read(self) -> bytes | None:
        try:
            return self.source.read()
        except InvalidConfig:
            return None

    def _digests(self, content: bytes | None) -> dict[str, str]:
        own = _hash(content) if content is not None else ""
        return {file: _digest(file) for file in self._files} | {self.source.file: own}


def named_files(compiled: Compiled) -> frozenset[str]:
    """Every file that a configuration names."""
    return frozenset(file for file in _named_files(compiled) if file)


def _named_files(compiled: Compiled) -> Iterator[str]:
    if compiled.shadow is not None:
        yield compiled.shadow.file
    for listen in compiled.listen:
        yield from (listen.tls_cert, listen.tls_key, listen.tls_client_ca)
    for rule in compiled.table.rules:
        yield from (rule.upstream.tls.ca, rule.upstream.tls.cert, rule.upstream.tls.key)


def _digest(file: str) -> str:
    try:
        return _hash(Path(file).read_bytes())
    except OSError:
        return ""


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def is_mounted_alone(file: str, mounts: Path = _MOUNTS) -> bool:
    """Whether a file is itself a mount point, so that one put in its place is never seen here.

    That is a ``subPath`` of Kubernetes, or a single file given to a container.  Where the system does not say, no.
    """
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    # The fifth field is the mount point, with blanks and the like in octal (proc_pid_mountinfo(5)).
    points = {_OCTAL.sub(lambda digits: chr(int(digits[1], 8)), line.split(" ")[4]) for line in lines}
    return os.path.realpath(file) in points
