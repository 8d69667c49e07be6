"""Every finding that there can be: its name, how severe it is, who may do what because of it, and what mends it.

Rules: a name never changes its meaning, since scripts look for it; docs/probe.md has
the same table.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Severity(IntEnum):
    """How bad it is; from ``MEDIUM`` on, somebody is at risk."""

    NOTE = 0  # a fact, and no fault
    LOW = 1  # it is broken or careless; no page gets anything by it
    MEDIUM = 2  # an attacker gets something, under a condition
    HIGH = 3  # any page, or whoever registers a name, gets what users have

    def __str__(self) -> str:
        return self.name.lower()


class Kind(StrEnum):
    """The name of a finding."""

    ANY_ORIGIN = "any-origin"
    NULL_ORIGIN = "null-origin"
    SUFFIX = "suffix"
    PREFIX = "prefix"
    UNDERSCORE = "underscore"
    DOT = "dot"
    SIBLING = "sibling"
    HTTP = "http"
    PORT = "port"
    UPPERCASE = "uppercase"
    LOCALHOST = "localhost"
    PREFLIGHT_ANY_ORIGIN = "preflight-any-origin"
    NOT_LET_IN = "not-let-in"
    MISSING_VARY = "missing-vary"
    PRIVATE_NETWORK = "private-network"
    WILDCARD_CREDENTIALS = "wildcard-credentials"
    MULTIPLE_VALUES = "multiple-values"
    MALFORMED_VALUE = "malformed-value"
    PREFLIGHT_AUTH = "preflight-auth"
    PREFLIGHT_REDIRECT = "preflight-redirect"
    PREFLIGHT_REFUSED = "preflight-refused"
    PREFLIGHT_UNANSWERED = "preflight-unanswered"
    NO_CORS = "no-cors"
    NOT_ASKED = "not-asked"
    ANY_HEADER = "any-header"
    EXPOSES = "exposes"
    MAX_AGE = "max-age"
    TIMING = "timing"
    RESOURCE_POLICY = "resource-policy"
    REDIRECT = "redirect"
    STATUS = "status"


class Words(NamedTuple):
    """What is said of a finding.

    ``what`` and ``risk`` are templates: ``subject`` is the finding's own, ``read`` is what a page can read.  Where two
    severities are given, the first holds if credentials go along (of missing-vary: if an answer that grants something
    lacks it; of preflights: if there is somebody for whom they would have to work).
    """

    severe: Severity
    mild: Severity
    what: str
    risk: str
    cure: str


_HIGH, _MEDIUM, _LOW, _NOTE = Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.NOTE

_EXACT: Final = "a policy lists whole origins, and refuses an expression that lets in more than it spells out"
_LIST: Final = "allow_origins names the pages that are meant"
_ONE: Final = "the API's own CORS headers are removed, and each is written once"
_PREFLIGHT: Final = "the proxy answers preflights itself; they never reach the API"

WORDS: Final[Mapping[Kind, Words]] = MappingProxyType(
    {
        Kind.ANY_ORIGIN: Words(_HIGH, _NOTE, "it lets any origin in", "a page of any site can read {read}", _LIST),
        Kind.NULL_ORIGIN: Words(
            _HIGH,
            _MEDIUM,
            "it lets the origin null in",
            "a page of any site can have that origin, in a sandboxed frame, and read {read}",
            "null is refused unless a policy says dangerously_allow_null",
        ),
        Kind.SUFFIX: Words(
            _HIGH,
            _MEDIUM,
            "it lets {subject} in: nothing ends the host",
            "whoever has a name that begins so can read {read}",
            _EXACT,
        ),
        Kind.PREFIX: Words(
            _HIGH,
            _MEDIUM,
            "it lets {subject} in: nothing sets the domain off from what stands before it",
            "whoever registers a name that ends so can read {read}",
            _EXACT,
        ),
        Kind.UNDERSCORE: Words(
            _HIGH,
            _MEDIUM,
            "it lets {subject} in: it takes an underscore for the end of the host",
            "whoever has a name that begins so can read {read}",
            _EXACT,
        ),
        Kind.DOT: Words(
            _HIGH,
            _MEDIUM,
            "it lets {subject} in: a dot of its expression matches any character",
            "whoever registers such a name can read {read}",
            _EXACT,
        ),
        Kind.SIBLING: Words(
            _NOTE,
            _NOTE,
            "it lets {subject} in, and so probably every name of that domain",
            "whoever gets hold of one of them, a forgotten one too, can read {read}",
            f"{_LIST}; or a pattern like https://*.example.com, if all are",
        ),
        Kind.HTTP: Words(
            _MEDIUM,
            _LOW,
            "it lets {subject} in, a page without HTTPS",
            "whoever can change such a page on its way (in a café's network) can read {read}",
            "with credentials, an http origin is refused unless a policy says dangerously_allow_insecure_origins",
        ),
        Kind.PORT: Words(
            _MEDIUM,
            _LOW,
            "it lets {subject} in, another port of that host",
            "whatever else is served from that host can read {read}",
            "a port counts, unless a pattern says :*",
        ),
        Kind.UPPERCASE: Words(
            _LOW,
            _LOW,
            "it lets {subject} in, which no browser sends",
            "nobody gets anything by it; it compares more loosely than origins need",
            "origins are compared byte for byte",
        ),
        Kind.LOCALHOST: Words(
            _MEDIUM,
            _LOW,
            "it lets {subject} in, a page on the user's own machine",
            "whatever a user runs there can read {read}; it is probably left over from development",
            _LIST,
        ),
        Kind.PREFLIGHT_ANY_ORIGIN: Words(
            _HIGH,
            _NOTE,
            "it grants the preflight of any origin, for PUT",
            "a page of any site can send {read}",
            _LIST,
        ),
        Kind.NOT_LET_IN: Words(
            _LOW,
            _LOW,
            "it does not let {subject} in",
            "that page, which --origin names, can read nothing",
            _LIST,
        ),
        Kind.MISSING_VARY: Words(
            _MEDIUM,
            _LOW,
            "its answers depend on the Origin and do not all say so (Vary: Origin)",
            "a cache can hand the answer for one page to another, which is then refused: whoever asks first decides "
            "for whom it works, an attacker too",
            "every answer that depends on the Origin has Vary: Origin",
        ),
        Kind.PRIVATE_NETWORK: Words(
            _LOW,
            _LOW,
            "it grants access from public pages to private networks, to any origin",
            "a page of any site can reach it with browsers that ask for this; new ones ask their user instead",
            "it is refused unless a policy says allow_private_network",
        ),
        Kind.WILDCARD_CREDENTIALS: Words(
            _LOW,
            _LOW,
            "it sends * together with Access-Control-Allow-Credentials: true",
            "no browser accepts that, so that no page gets in with cookies; echoing the Origin instead lets all in",
            "'*' with credentials is refused; allow_origins names the pages",
        ),
        Kind.MULTIPLE_VALUES: Words(
            _LOW,
            _LOW,
            "it sends more than one value of {subject}",
            "browsers refuse such an answer; often the API and something in front of it both add the header",
            _ONE,
        ),
        Kind.MALFORMED_VALUE: Words(
            _LOW,
            _LOW,
            "it sends {subject}, which browsers do not understand",
            "the header does nothing, or makes them refuse the answer",
            _ONE,
        ),
        Kind.PREFLIGHT_AUTH: Words(
            _LOW,
            _NOTE,
            "it wants a log-in for preflights (status {subject})",
            "browsers never send one with them, so that no page can use other methods than GET and POST, nor JSON",
            _PREFLIGHT,
        ),
        Kind.PREFLIGHT_REDIRECT: Words(
            _LOW,
            _NOTE,
            "it redirects preflights to {subject}",
            "browsers do not follow, so that no page can use other methods than GET and POST, nor JSON",
            _PREFLIGHT,
        ),
        Kind.PREFLIGHT_REFUSED: Words(
            _LOW,
            _NOTE,
            "it refuses preflights (status {subject})",
            "no page can use other methods than GET and POST, nor JSON",
            _PREFLIGHT,
        ),
        Kind.PREFLIGHT_UNANSWERED: Words(
            _LOW,
            _NOTE,
            "it does not grant preflights (status {subject})",
            "no page can use other methods than GET and POST, nor JSON",
            _PREFLIGHT,
        ),
        Kind.NO_CORS: Words(
            _NOTE,
            _NOTE,
            "it sends no CORS headers, whichever origin was tried",
            "no page of theirs can read anything; if it lets in others, name one with --origin",
            f"{_LIST}, and the proxy sends the headers",
        ),
        Kind.NOT_ASKED: Words(
            _NOTE,
            _NOTE,
            "it sends Access-Control-Allow-Origin to who sends no Origin: {subject}",
            "nobody gets anything by it; a constant value must not depend on the request",
            _ONE,
        ),
        Kind.ANY_HEADER: Words(
            _NOTE,
            _NOTE,
            "it allows whatever request header is asked for",
            "who is let in can set any header that the API reads",
            "allow_headers names those that are meant",
        ),
        Kind.EXPOSES: Words(
            _NOTE,
            _NOTE,
            "it exposes {subject}",
            "who is let in can read these headers",
            "expose_headers names those that are meant",
        ),
        Kind.MAX_AGE: Words(
            _NOTE,
            _NOTE,
            "browsers may keep the answer to a preflight for {subject}",
            "a page that is let in no more stays in for so long",
            "max_age",
        ),
        Kind.TIMING: Words(
            _NOTE,
            _NOTE,
            "it shows its timing to {subject}",
            "these pages can measure how long an answer took, even without reading it",
            "timing_allow_origins names those that are meant",
        ),
        Kind.RESOURCE_POLICY: Words(
            _NOTE,
            _NOTE,
            "it sends Cross-Origin-Resource-Policy: {subject}",
            "pages elsewhere cannot embed it without CORS (as an image, say); what CORS grants is not concerned",
            "cross_origin_resource_policy",
        ),
        Kind.REDIRECT: Words(
            _NOTE,
            _NOTE,
            "it redirects to {subject}, which was not followed",
            "what is said here is true of the redirect alone; probe that URL too",
            "Location is rewritten, so that a redirect stays with the proxy",
        ),
        Kind.STATUS: Words(
            _NOTE,
            _NOTE,
            "it answered {subject}",
            "its CORS headers may be others when it succeeds; name a URL that does, or add --header",
            "every answer has the headers, failures too",
        ),
    }
)
