"""Whether a browser keeps a cookie: the reasons of RFC 6265bis and of Chromium to refuse one, in words.

Rules that this file obeys:

- What is known from the line, the host and the page alone is said; what a user has set (blocked third-party cookies) is
  not known here.
- http://localhost counts as secure, as Chromium and Firefox have it (https://www.w3.org/TR/secure-contexts/#localhost).
- A cookie's value is measured and never repeated.
"""

from __future__ import annotations

from typing import NamedTuple

from corsproxy.cors.serialized import is_loopback
from corsproxy.cors.suffixes import site_part

_LONGEST = 4096  # bytes of name and value, https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html#name-storage-model


class Asked(NamedTuple):
    """What the browser asked, and for whom."""

    scheme: str  # http or https
    host: str  # lower case, no port; an IPv6 address in brackets
    page_scheme: str = ""  # of the page whose script asked; "": nobody knows of one
    page_host: str = ""

    @property
    def secure(self) -> bool:
        """Whether the browser keeps cookies with Secure from there."""
        return self.scheme == "https" or is_loopback(self.host)

    @property
    def same_site(self) -> bool:
        """Whether page and host are one site (https://html.spec.whatwg.org/#same-site)."""
        if not self.page_host:
            return True
        page, host = self.page_host, self.host
        return self.page_scheme == self.scheme and page[site_part(page)] == host[site_part(host)]


def cookie_name(set_cookie: bytes) -> bytes:
    """The name of the cookie in a Set-Cookie value; b"" when it has none."""
    name, equals, _ = set_cookie.partition(b";")[0].partition(b"=")
    return name.strip(b" \t") if equals else b""


def why_refused(set_cookie: bytes, asked: Asked) -> str:
    """Why the browser will not keep this cookie, or "" when nothing speaks against it."""
    pair, *parts = set_cookie.split(b";")
    attributes = {
        name.strip(b" \t").lower(): value.strip(b" \t") for name, _, value in (p.partition(b"=") for p in parts)
    }
    if len(pair.strip(b" \t")) > _LONGEST + 1:
        return f"its name and value are longer than the {_LONGEST} bytes that browsers keep"
    return (
        _broken_promise(cookie_name(set_cookie).lower(), attributes)
        or _wrong_domain(attributes.get(b"domain", b""), asked.host)
        or _lack_of_security(attributes, asked)
        or _other_site(attributes.get(b"samesite", b"").lower(), asked)
    )


def _broken_promise(name: bytes, attributes: dict[bytes, bytes]) -> str:
    """https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html#name-cookie-name-prefixes."""
    if name.startswith((b"__secure-", b"__host-")) and b"secure" not in attributes:
        return "its name promises Secure, which it has not"
    if name.startswith(b"__host-") and attributes.get(b"path") != b"/":
        return "its name promises Path=/, which it has not"
    if name.startswith(b"__host-") and attributes.get(b"domain"):
        return "its name promises that it has no Domain"
    return ""


def _wrong_domain(written: bytes, host: str) -> str:
    domain = written.decode("latin-1").lower().removeprefix(".")
    if not domain or host == domain or host.endswith(f".{domain}"):
        return ""
    return f"its Domain is {domain}, and the browser asked {host}"


def _lack_of_security(attributes: dict[bytes, bytes], asked: Asked) -> str:
    if b"secure" not in attributes:
        if attributes.get(b"samesite", b"").lower() == b"none":
            return "SameSite=None needs Secure"
        return "Partitioned needs Secure" if b"partitioned" in attributes else ""
    return "" if asked.secure else f"it has Secure, and http://{asked.host} is not secure"


def _other_site(same_site: bytes, asked: Asked) -> str:
    """https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html#name-the-samesite-attribute-2."""
    if same_site == b"none" or asked.same_site:
        return ""
    has = f"SameSite={same_site.decode('latin-1').capitalize()}" if same_site else "no SameSite, which means Lax"
    page = f"{asked.page_scheme}://{asked.page_host}"
    return f"it has {has}, and a page on {page} is of another site than {asked.scheme}://{asked.host}"
