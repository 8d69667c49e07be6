"""Where the configuration comes from, so that it can be read again.

``${NAME}`` is filled in from the environment that the process was started with, whenever the file is read: nothing
changes it later, and a reload reads the file alone, and the one that it names as its shadow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from corsproxy.errors import InvalidConfig, Problem

if TYPE_CHECKING:
    from corsproxy.config.load import Compiled


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A configuration file, and what its text means in this process."""

    file: str
    environment: Mapping[str, str]
    pseudonym: str  # of this process, in Via

    def read(self) -> bytes:
        """What the file holds now; raises InvalidConfig when it cannot be read."""
        try:
            return Path(self.file).read_bytes()
        except OSError as error:
            message = f"the file cannot be read ({error.strerror}); name a readable one"
            raise InvalidConfig((Problem(self.file, 0, 0, message),)) from None

    def compile(self, content: bytes, shadow: str | None = None) -> Compiled:
        """What the content means; raises InvalidConfig with every problem.

        ``shadow`` is the text of the file that it names as its shadow; None: that is read now.
        """
        from corsproxy.config.load import load_config  # noqa: PLC0415  # --help does not need it

        text = self.decode(content)
        compiled = load_config(text, self.file, self.environment, pseudonym=self.pseudonym)
        return self.with_shadow(compiled, text, shadow)

    def with_shadow(self, compiled: Compiled, text: str, shadow: str | None = None) -> Compiled:
        """The same with the shadow that it names, of a text that has been compiled; raises InvalidConfig."""
        from corsproxy.config.load import with_shadow  # noqa: PLC0415  # as above

        if not compiled.config.shadow:
            return compiled
        beside = Path(self.file).parent / compiled.config.shadow
        if shadow is None:
            shadow = self._read_shadow(beside, text)
        return with_shadow(compiled, shadow, str(beside), self.environment, pseudonym=self.pseudonym)

    def decode(self, content: bytes) -> str:
        """The content as text; raises InvalidConfig when it is none."""
        return _decoded(content, self.file)

    def _read_shadow(self, beside: Path, text: str) -> str:
        try:
            content = beside.read_bytes()
        except OSError as error:
            from corsproxy.config.document import place_of  # noqa: PLC0415  # as above

            message = (
                f"the shadow {beside} cannot be read ({error.strerror}); name a readable file, from this one's folder"
            )
            place = place_of(("shadow",), text, self.file, self.environment)
            raise InvalidConfig((Problem(self.file, *place, message),)) from None
        return _decoded(content, str(beside))


def _decoded(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"byte {error.start} of the file is not UTF-8; save it as UTF-8"
        raise InvalidConfig((Problem(file, 0, 0, message),)) from None
