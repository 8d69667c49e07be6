"""Where the configuration comes from, so that it can be read again.

``${NAME}`` is filled in from the environment that the process was started with, whenever the file is read: nothing
changes it later, and a reload reads the file alone.
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

    def compile(self, content: bytes) -> Compiled:
        """What the content means; raises InvalidConfig with every problem."""
        from corsproxy.config.load import load_config  # noqa: PLC0415  # --help does not need it

        return load_config(self.decode(content), self.file, self.environment, pseudonym=self.pseudonym)

    def decode(self, content: bytes) -> str:
        """The content as text; raises InvalidConfig when it is none."""
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            message = f"byte {error.start} of the file is not UTF-8; save it as UTF-8"
            raise InvalidConfig((Problem(self.file, 0, 0, message),)) from None
