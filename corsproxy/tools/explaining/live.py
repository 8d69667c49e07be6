"""The preflight and the request, really sent, one at a time, for any server: what comes back is what is explained.

Only the head of an answer is read.  Redirects are the browser model's to follow.
"""

from __future__ import annotations

import http.client
import ssl
from typing import Final
from urllib.parse import urlsplit

from corsproxy.cors.fetch import Headers, WireRequest, WireResponse
from corsproxy.errors import CorsproxyError

_SECONDS: Final = 10.0
_AGENT: Final = b"corsproxy-explain"


class NoAnswer(CorsproxyError):
    """The server gave no answer that a browser could judge; the text says why."""


def send(asked: WireRequest) -> WireResponse:
    """Send one request and read the head of its answer; raises NoAnswer."""
    parts = urlsplit(asked.url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise NoAnswer(f"{asked.url!r} is no URL of a server; begin it with http:// or https://")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=_SECONDS)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.putrequest(asked.method.decode("latin-1"), target, skip_accept_encoding=True)
        for name, value in (*asked.headers, (b"User-Agent", _AGENT)):
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return WireResponse(response.status, _headers(response))
    except ssl.SSLCertVerificationError as error:
        raise NoAnswer(f"the certificate of {parts.netloc} is not trusted ({error.verify_message})") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswer(f"{parts.netloc} gave no answer ({error}); is it running, and is the port right?") from None
    finally:
        connection.close()


def _headers(response: http.client.HTTPResponse) -> Headers:
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in response.getheaders())
