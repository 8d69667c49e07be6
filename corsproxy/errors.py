"""The exception tree.

    CorsproxyError
    ├── InvalidOrigin          a text is no serialized origin or origin pattern
    ├── InvalidPolicy          a policy that may not be compiled, with every reason
    ├── InvalidConfig          a configuration that may not run, with every problem
    ├── UnusableCertificate    a certificate, a key or an authority's file cannot be loaded
    ├── MalformedPreamble      a connection does not begin with the PROXY protocol
    ├── MalformedRequest       a client's request head that cannot be forwarded safely
    └── UpstreamError          the upstream leg failed; carries the status that says so
        ├── ConnectFailed      502  nothing was sent
        ├── Overloaded         503  as many requests in flight as are allowed; nothing was sent
        ├── ConnectionLost     502  the connection ended before the answer was whole
        │   └── StaleConnection     it had served before, and ended before any of this answer came
        ├── MalformedResponse  502  the upstream's bytes are no HTTP response
        ├── ResponseTooLarge   502  its body is larger than the rule allows
        └── UpstreamTimeout    504  a time limit of the upstream ran out

Foreign exceptions (OSError, httptools, pydantic, yaml) are translated into these at the boundary where they appear, so
that no caller has to know which library stands below.  The style of every message: lower case, what is wrong first,
then a semicolon and what to do about it, no full stop.
"""

from __future__ import annotations

from typing import NamedTuple


class CorsproxyError(Exception):
    """Base of every error that this package raises on purpose.

    ``limit`` is the configuration's key of the limit that was met, "" for none.
    """

    limit = ""


class InvalidOrigin(CorsproxyError, ValueError):
    """A text is neither a serialized origin nor an origin pattern.

    ``correction`` is the text to write instead, or "" where there is no single right one.
    """

    def __init__(self, message: str, correction: str = "") -> None:
        super().__init__(message)
        self.correction = correction


class PolicyProblem(NamedTuple):
    """One reason why a policy may not be compiled.

    ``field`` is the policy's key ("allow_origins"), ``index`` the entry in that list (None: the key as a whole),
    ``correction`` the smallest change that would do, or "".
    """

    field: str
    index: int | None  # type: ignore[assignment]  # hides tuple.index, which nobody asks of a problem
    message: str
    correction: str = ""


class InvalidPolicy(CorsproxyError, ValueError):
    """A policy that may not be compiled; ``problems`` holds every reason, not just the first."""

    def __init__(self, problems: tuple[PolicyProblem, ...]) -> None:
        super().__init__("\n".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.problems = problems


class Problem(NamedTuple):
    """One thing that is wrong in a configuration file, where, and what to do about it."""

    file: str
    line: int  # from 1; 0: the file as a whole
    column: int  # from 1
    message: str
    correction: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{where}: {self.message}" + (f"\n    {self.correction}" if self.correction else "")


class InvalidConfig(CorsproxyError, ValueError):
    """A configuration that may not run; ``problems`` holds all of them, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class UnusableCertificate(CorsproxyError):
    """A certificate, a key or the file of an authority cannot be loaded; the message names it."""


class MalformedPreamble(CorsproxyError):
    """What a connection begins with is no preamble of the PROXY protocol."""


class MalformedRequest(CorsproxyError):
    """A client's request head that cannot be forwarded safely; ``status`` is the answer it gets."""

    def __init__(self, status: int, message: str, limit: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.limit = limit


class UpstreamError(CorsproxyError):
    """The upstream leg failed.

    ``status`` and the message are what the client is told; ``detail`` holds addresses and the system's own words, and
    is for the log alone.
    """

    status = 502

    def __init__(self, message: str, detail: str = "", *, limit: str = "") -> None:
        super().__init__(message)
        self.detail = detail
        self.limit = limit


class ConnectFailed(UpstreamError):
    """No connection to the upstream could be made, so nothing of the request was sent."""


class Overloaded(UpstreamError):
    """The upstream has as many requests in flight as it is allowed, so nothing of this one was sent."""

    status = 503


class ConnectionLost(UpstreamError):
    """The upstream's connection ended before its answer was whole."""


class StaleConnection(ConnectionLost):
    """A connection that had served before ended before any of this answer came: it was closed while idle."""


class MalformedResponse(UpstreamError):
    """The upstream sent something that is no HTTP response, or one with ambiguous framing."""


class ResponseTooLarge(UpstreamError):
    """The body of the upstream's answer is larger than the rule allows."""


class UpstreamTimeout(UpstreamError):
    """A time limit of the upstream ran out."""

    status = 504
