"""Set-Cookie, attribute by attribute: what a rule changes, and every other byte as it came.

Rules that this file obeys:

- The cookie's name and value are never decoded, nor looked at beyond the name's prefix.
- An attribute that is not to be changed keeps its bytes, its place, its case and the spaces around it.
- Of a doubled attribute browsers use the last (RFC 6265bis section 5.7), so a change concerns all of them.
- No change makes a cookie that browsers refuse, see ``CookieRewrite``.
"""

from __future__ import annotations

from dataclasses import dataclass

from corsproxy.http.location import proxy_path

# https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html#name-cookie-name-prefixes, in any case
_SECURE_PREFIXES = (b"__secure-", b"__host-", b"__http-")
_HOST_PREFIX = b"__host-"
_SAME_SITE = {"none": b" SameSite=None", "lax": b" SameSite=Lax", "strict": b" SameSite=Strict"}


@dataclass(frozen=True, slots=True)
class CookieRewrite:
    """How the cookies of one rule's upstream are changed; None leaves an attribute alone.

    ``same_site`` is "none", "lax" or "strict"; ``domain`` is "remove" or a literal, which replaces a Domain that is
    there and adds none, for that would widen the cookie; ``path`` is a literal; without it a Path of the upstream loses
    ``base`` and gets ``prefix``, as Location does.

    Browsers refuse some combinations, so:

    - ``same_site="none"`` and ``partitioned=True`` bring Secure along;
    - ``secure=False`` takes Partitioned and SameSite=None away with Secure (the cookie is Lax then, which suffices
      between ports of localhost);
    - a cookie named ``__Secure-`` or ``__Host-`` keeps its Secure, and ``__Host-`` its ``Path=/`` and its lack of a
      Domain, whatever the rule says: the name promises them.

    Raises ValueError for ``secure=False`` with ``same_site="none"`` or ``partitioned=True``, and for an unknown
    ``same_site``.
    """

    same_site: str | None = None
    secure: bool | None = None
    partitioned: bool | None = None
    domain: str | None = None
    path: str | None = None
    base: bytes = b""
    prefix: bytes = b""

    def __post_init__(self) -> None:
        if self.same_site is not None and self.same_site not in _SAME_SITE:
            raise ValueError("same_site is not known; write none, lax or strict")
        if self.secure is False and (self.same_site == "none" or self.partitioned):
            raise ValueError("browsers refuse SameSite=None and Partitioned without Secure; leave out secure: false")

    def rewrite(self, set_cookie_value: bytes) -> bytes:
        """One Set-Cookie value, changed as the rule says."""
        pair, *attributes = set_cookie_value.split(b";")
        name = pair.partition(b"=")[0].strip(b" \t").lower()
        attributes = self._domain(attributes)
        if not name.startswith(_HOST_PREFIX):
            attributes = self._path(attributes)
        attributes = self._protection(attributes, promised=name.startswith(_SECURE_PREFIXES))
        return b";".join((pair, *attributes))

    def _domain(self, attributes: list[bytes]) -> list[bytes]:
        if self.domain is None or not _has(attributes, b"domain"):
            return attributes
        kept = _without(attributes, b"domain")
        return kept if self.domain == "remove" else [*kept, b" Domain=" + self.domain.encode()]

    def _path(self, attributes: list[bytes]) -> list[bytes]:
        if self.path is not None:
            return [*_without(attributes, b"path"), b" Path=" + self.path.encode()]
        if self.base or self.prefix:
            return [self._with_path_here(part) if _name(part) == b"path" else part for part in attributes]
        return attributes

    def _with_path_here(self, attribute: bytes) -> bytes:
        path = _value(attribute)
        if not path.startswith(b"/"):
            return attribute  # browsers take the directory of the request's path, which is the proxy's already
        start = attribute.index(b"/")
        return attribute[:start] + self._path_here(path) + attribute[start + len(path) :]

    def _path_here(self, path: bytes) -> bytes:
        if path == b"/" or self.base.startswith(path.rstrip(b"/") + b"/"):
            return self.prefix or b"/"  # all of the upstream that the proxy shows
        return proxy_path(path, self.base, self.prefix) or path

    def _protection(self, attributes: list[bytes], *, promised: bool) -> list[bytes]:
        """SameSite, Partitioned and Secure; ``promised``: the cookie's name says that it is Secure."""
        if self.same_site is not None:
            attributes = [*_without(attributes, b"samesite"), _SAME_SITE[self.same_site]]
        if self.partitioned is not None and self.partitioned != _has(attributes, b"partitioned"):
            attributes = _without(attributes, b"partitioned")
            attributes += [b" Partitioned"] if self.partitioned else []
        if self.secure is False and not promised:
            return _insecure(attributes)
        if (self.secure or self.partitioned or self.same_site == "none") and not _has(attributes, b"secure"):
            return [*attributes, b" Secure"]
        return attributes


def _name(attribute: bytes) -> bytes:
    return attribute.partition(b"=")[0].strip(b" \t").lower()


def _value(attribute: bytes) -> bytes:
    return attribute.partition(b"=")[2].strip(b" \t")


def _has(attributes: list[bytes], name: bytes) -> bool:
    return any(_name(attribute) == name for attribute in attributes)


def _without(attributes: list[bytes], name: bytes) -> list[bytes]:
    return [attribute for attribute in attributes if _name(attribute) != name]


def _same_site_is_none(attributes: list[bytes]) -> bool:
    values = [_value(attribute).lower() for attribute in attributes if _name(attribute) == b"samesite"]
    return values[-1:] == [b"none"]


def _insecure(attributes: list[bytes]) -> list[bytes]:
    attributes = _without(_without(attributes, b"secure"), b"partitioned")
    return _without(attributes, b"samesite") if _same_site_is_none(attributes) else attributes
