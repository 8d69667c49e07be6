"""TLS of a listener: TLS 1.2 and later, HTTP/1.1 by ALPN, client certificates where they are asked for.

A certificate is renewed while the process runs.  The loop has one context for as long as it listens, so that context
hands every handshake to the newest one; a connection that stands keeps what it began with.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from corsproxy.errors import UnusableCertificate

if TYPE_CHECKING:
    from corsproxy.config.addresses import Listen


class ListenerTls:
    """The TLS of one listener; raises UnusableCertificate, as ``server_context`` does."""

    def __init__(self, listen: Listen) -> None:
        self.context = server_context(listen)  # for the loop
        self._newest = self.context
        # OpenSSL asks for every handshake, also where the client names no server.
        self.context.sni_callback = self._choose

    def renew(self, context: ssl.SSLContext) -> None:
        """From now on handshakes use this context."""
        self._newest = context

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:  # noqa: ARG002  # the ssl module's signature
        connection.context = self._newest


def server_context(listen: Listen) -> ssl.SSLContext:
    """A context with the listener's certificate.

    Raises UnusableCertificate when one of its files cannot be loaded.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password of some kind OpenSSL would ask the terminal for one, and wait.
        context.load_cert_chain(listen.tls_cert, listen.tls_key, password="")
    except OSError as error:  # ssl.SSLError too; its own words do not name the file
        what = f"{listen}: the certificate {listen.tls_cert} or its key cannot be loaded ({error})"
        raise UnusableCertificate(what) from error
    if listen.tls_client_ca:
        _ask_for_certificates(context, listen)
    return context


def _ask_for_certificates(context: ssl.SSLContext, listen: Listen) -> None:
    try:
        context.load_verify_locations(cafile=listen.tls_client_ca)
    except OSError as error:
        what = f"{listen}: the authorities in {listen.tls_client_ca} cannot be loaded ({error})"
        raise UnusableCertificate(what) from error
    context.verify_mode = ssl.CERT_REQUIRED
    # A resumed session is not verified again, whatever has become of its authority since.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
