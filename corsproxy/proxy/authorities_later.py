"""aiohttp, imported without the system's certificate authorities: the first import of it has to be this one.

``aiohttp.connector`` makes two TLS contexts when it is imported, for a client that the data plane never uses, and each
reads the authorities of the operating system: the eighth of a start.  Contexts that are made here meanwhile read them
before their first handshake instead, so that whoever does use that client finds no difference.  Where a later aiohttp
makes none, or fills them in another way, nothing is postponed.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

# What begins a handshake: the first is what event loops call.
_HANDSHAKES = ("wrap_bio", "wrap_socket")


@contextmanager
def reading_authorities_later() -> Iterator[None]:
    """Contexts that would read the system's authorities inside this block do so before their first handshake."""
    ssl.SSLContext.set_default_verify_paths = _postpone  # type: ignore[method-assign]
    try:
        yield
    finally:
        del ssl.SSLContext.set_default_verify_paths  # what it inherits is in force again


def _postpone(self: ssl.SSLContext) -> None:
    for handshake in _HANDSHAKES:
        setattr(self, handshake, partial(_begin, self, handshake))


def _begin(context: ssl.SSLContext, handshake: str, *args: Any, **options: Any) -> object:  # noqa: ANN401  # ssl's own
    for name in _HANDSHAKES:
        delattr(context, name)  # the class's own again
    context.set_default_verify_paths()
    return getattr(context, handshake)(*args, **options)


with reading_authorities_later():
    import aiohttp  # noqa: F401  # here, and so nowhere before
