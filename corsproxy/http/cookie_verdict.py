"""Whether a browser keeps a cookie: the reasons of RFC 6265bis and of Chromium to refuse one, in words.

Where the two differ, Chromium's word counts; tests/browser compares every reason with what Chromium 156 keeps.

Rules that this file obeys:

- What is known from the line, the host and the page alone is said; what a user has set (blocked third-party cookies) is
  not known here.
- http://localhost counts as secure, as Chromium and Firefox have it (https://www.w3.org/TR/secure-contexts/#localhost).
- A cookie's value is measured and never repeated.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from corsproxy.cors.serialized import ends_in_number, is_loopback
from corsproxy.cors.suffixes import is_public_suffix, site_part

_LONGEST = 4096  # bytes of name and value, https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html#name-storage-model
_LONGEST_ATTRIBUTE = (
    1024  # bytes of its value; a longer one counts as not written (#name-the-set-cookie-header-field-2)
)
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")  # also the tab, which RFC 6265bis lets pass and Chromium does not

_SECURE_NAMES = (b"__secure-", b"__host-", b"__http-")
_HTTP_NAMES = (b"__http-", b"__host-http-")


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
    return _pair(set_cookie.partition(b";")[0])[0]


def why_refused(set_cookie: bytes, asked: Asked) -> str:
    """Why the browser will not keep this cookie, or "" when nothing speaks against it."""
    pair, *parts = set_cookie.split(b";")
    name, value = _pair(pair)
    attributes = {key.lower(): text for key, text in map(_attribute, parts) if len(text) <= _LONGEST_ATTRIBUTE}
    if attributes.get(b"domain", b"").decode("latin-1").lower() == asked.host and _is_address(asked.host):
        del attributes[b"domain"]  # Chromium takes it for none
    return (
        _unfit(name, value, parts)
        or _broken_promise(name.lower(), attributes)
        or _wrong_domain(attributes.get(b"domain", b""), asked.host)
        or _lack_of_security(attributes, asked)
        or _other_site(attributes.get(b"samesite", b"").lower(), asked)
    )


def _pair(written: bytes) -> tuple[bytes, bytes]:
    """Name and value; without an equals sign it is all value (RFC 6265bis section 5.6)."""
    name, equals, value = written.partition(b"=")
    return (name.strip(b" \t"), value.strip(b" \t")) if equals else (b"", name.strip(b" \t"))


def _attribute(written: bytes) -> tuple[bytes, bytes]:
    name, _, value = written.partition(b"=")
    return name.strip(b" \t"), value.strip(b" \t")


def _unfit(name: bytes, value: bytes, parts: list[bytes]) -> str:
    """What no server may write, whoever asked (RFC 6265bis sections 5.6 and 5.7)."""
    if len(name) + len(value) > _LONGEST:
        return f"its name and value are longer than the {_LONGEST} bytes that browsers keep"
    if any(map(_CONTROL.search, (name, value, *(text for part in parts for text in _attribute(part))))):
        return "it has a control character"
    if not name and not value:
        return "it has neither name nor value"
    if not name and value.lower().startswith(_SECURE_NAMES):
        return "it has no name, and its value looks like a name that promises something"
    return ""


def _broken_promise(name: bytes, attributes: dict[bytes, bytes]) -> str:
    """https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html#name-cookie-name-prefixes."""
    if name.startswith(_SECURE_NAMES) and b"secure" not in attributes:
        return "its name promises Secure, which it has not"
    if name.startswith(_HTTP_NAMES) and b"httponly" not in attributes:
        return "its name promises HttpOnly, which it has not"
    if name.startswith(b"__host-") and attributes.get(b"path") != b"/":
        return "its name promises Path=/, which it has not"
    if name.startswith(b"__host-") and attributes.get(b"domain"):
        return "its name promises that it has no Domain"
    return ""


def _wrong_domain(written: bytes, host: str) -> str:
    shown = written.decode("latin-1").lower()
    domain = shown.removeprefix(".")
    if not shown or host == domain:
        return ""
    if _is_address(host) or not host.endswith(f".{domain}"):
        return f"its Domain is {shown}, and the browser asked {host}"
    if "." not in domain or is_public_suffix(domain):
        return f"its Domain is {shown}, which is nobody's own, so that it would be everybody's below"
    return ""


def _is_address(host: str) -> bool:
    return host.startswith("[") or ends_in_number(host)


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
