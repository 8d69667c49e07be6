"""How an https upstream is recognised, and what it is shown: the ssl module's context for a rule table's values."""

from __future__ import annotations

import ssl

from corsproxy.config.table import UpstreamTls
from corsproxy.errors import UnusableCertificate


def client_context(tls: UpstreamTls) -> ssl.SSLContext:
    """The context of every connection to one upstream.

    Raises UnusableCertificate when a file cannot be read or holds something else.
    """
    try:
        # With a file of its own, the authorities of the operating system are not believed.
        context = ssl.create_default_context(cafile=tls.ca or None)
    except OSError as error:  # ssl.SSLError too; its own words do not name the file
        raise UnusableCertificate(f"the authorities in {tls.ca} cannot be loaded ({error})") from error
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert:
        try:
            # Without a password of some kind OpenSSL would ask the terminal for one, and wait.
            context.load_cert_chain(tls.cert, tls.key or None, password="")
        except OSError as error:
            raise UnusableCertificate(f"the certificate {tls.cert} or its key cannot be loaded ({error})") from error
    return context
