"""Files that commands write because an option names them."""

from __future__ import annotations

from pathlib import Path

from corsproxy.errors import CorsproxyError


def write_output(path: str | Path, data: bytes, option: str, mode: int = 0o666) -> None:
    """Write a file anew, with these permissions and the umask if it was not there.

    Raises CorsproxyError, which names ``option``, where that cannot be done.
    """
    try:
        Path(path).touch(mode)
        Path(path).write_bytes(data)
    except OSError as error:
        raise CorsproxyError(f"{path} cannot be written ({error.strerror}); name another file after {option}") from None
