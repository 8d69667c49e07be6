"""HTTPS on this machine: a certificate for localhost, by a local authority of the user's own.

Rules that this file obeys:

- The authority is made once and kept, since a browser has to be told to trust it; a new one with each run could not be
  trusted, and there is no warning to click away for a page's requests.
- Whoever has the authority's key can pose as any server to whoever trusts it: nobody but the user may read it.
- The certificate is made for this run, and is gone with it.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from corsproxy.errors import UnusableCertificate

if TYPE_CHECKING:
    from trustme import CA

_LIFETIME = timedelta(days=90)  # macOS and iOS take no more than 825 days, whoever has signed


class Certificate(NamedTuple):
    """PEM files: the certificate with its chain, its key, and whom a browser has to trust ("": it knows)."""

    cert: str
    key: str
    authority: str = ""


def data_folder() -> Path:
    """Where this user's authority is kept (https://specifications.freedesktop.org/basedir-spec/latest/#variables)."""
    base = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".local" / "share") / "corsproxy"


@contextmanager
def local_certificate(names: Sequence[str], folder: Path) -> Iterator[Certificate]:
    """A certificate for these names, by the authority in ``folder``, as long as the context lasts.

    Raises UnusableCertificate when trustme is not installed, or the authority cannot be kept or read.
    """
    with tempfile.TemporaryDirectory(prefix="corsproxy-") as temporary:  # nobody else may look into it
        file = Path(temporary, "certificate.pem")
        try:
            _issue(_authority(folder), names, file)
        except OSError as error:
            message = f"the local authority cannot be kept in {folder} ({error.strerror}); set XDG_DATA_HOME"
            raise UnusableCertificate(message) from error
        yield Certificate(str(file), str(file), str(folder / "authority.pem"))


def _issue(authority: CA, names: Sequence[str], file: Path) -> None:
    until = datetime.now(UTC) + _LIFETIME
    issued = authority.issue_cert(*names, organization_name="corsproxy dev", not_after=until)
    issued.private_key_and_cert_chain_pem.write_to_path(file)


def _authority(folder: Path) -> CA:
    """The authority that is kept, or a new one from now on."""
    try:
        from trustme import CA  # noqa: PLC0415  # an extra
    except ImportError:
        message = (
            "--tls needs an extra: pip install 'corsproxy[tls]'; or name a certificate of your own by --cert and --key"
        )
        raise UnusableCertificate(message) from None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = folder / "authority-key.pem"
    if not private.exists():
        node = platform.node()[:60] or "this machine"
        _keep(CA(path_length=0, organization_name="corsproxy local authority", organization_unit_name=node), private)
    if private.stat().st_mode & 0o077:
        message = f"others may have read {private}; trust this authority no longer, and remove the file for a new one"
        raise UnusableCertificate(message)
    content = private.read_bytes()
    try:
        authority = CA.from_pem(content, content)
    except ValueError as error:
        raise UnusableCertificate(f"{private} holds no authority; remove it, so that a new one is made") from error
    public = folder / "authority.pem"
    with suppress(FileNotFoundError):
        if public.read_bytes() == authority.cert_pem.bytes():
            return authority
    public.write_bytes(authority.cert_pem.bytes())
    return authority


def _keep(authority: CA, path: Path) -> None:
    """Write an authority whole or not at all; where another process was faster, its authority stays."""
    with tempfile.NamedTemporaryFile(dir=path.parent) as file:  # only its owner may read it
        file.write(authority.cert_pem.bytes() + authority.private_key_pem.bytes())
        file.flush()
        with suppress(FileExistsError):
            os.link(file.name, path)
