r"""Safe compile: the origins of an attacker, made from a policy's own patterns, none of which it may accept.

Rules: what may be accepted is decided by what was written, in its plainest reading, never by the compiled matcher that
is under test; the first hostile origin that is accepted is the proof, and compiling fails with it.

What counts as meant, and so is not hostile however it came about:

- In the list of origins: whatever an entry covers (``Pattern.covers``), be it the entry under test or another one.
- In the expression: the owners that it spells out.  An owner is a scheme and a registrable domain (of an address: the
  address, or the private network) with a port, or with any port where the expression leaves it free.  Below a
  registrable domain that is spelled out every host has the same owner, so ``https://.*\.example\.com`` is as harmless
  as it looks; in ``https://.*example\.com`` the domain itself is partly free, and anyone can register evilexample.com.
  ``dangerously_allow_public_suffix_subdomains`` is content when a public suffix is spelled out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from corsproxy.cors.origin import Origin, read_origin
from corsproxy.cors.pattern import ANY, NULL, Pattern
from corsproxy.cors.samples import Sample, spelled
from corsproxy.errors import PolicyProblem

Accepts = Callable[[bytes], bool]
OwnerPart = Callable[[str], slice]
# A hostile origin, and what would probably have let it in.  A plain tuple: 10,000 origins have 300,000 tricks.
Trick = tuple[str, str]

_DOT = "an unescaped dot matches any character; write '\\.'"
_END = "nothing ends the host; end it with the domain or its port"
_START = "nothing sets the domain off from what stands before it; put a dot between them"
_NAMES = "it covers names that it does not spell out; name the domain in full"
_SCHEME = "it leaves the scheme open; spell it out"
_PORT = "it leaves the port open; spell it out"
_SPELLING = "it takes what no browser sends; match whole origins"
_OPEN = "what is free in it decides whose origin it is; spell out the scheme and the registrable domain"

_OTHER_SCHEMES = {"http": "https", "https": "http"}
_FILLINGS = (".evil.example", "evil", "evil.example", "https://evil", "https://evil.", "https://evil.example")
_ANY_PORT = -1
MAX_TRIED = 1000


def tricks(origin: Origin) -> list[Trick]:
    """What an attacker sends to be taken for this origin; some of it may be meant all the same."""
    scheme, host, number = origin
    start, port = f"{scheme}://", "" if number is None else f":{number}"
    dots = [place for place, char in enumerate(host) if char == "."]
    domains = [host, *[host[dot + 1 :] for dot in dots]]
    return [
        *[(f"{start}{host[:dot]}x{host[dot + 1 :]}{port}", _DOT) for dot in dots],
        (f"{start}{host}.evil.example{port}", _END),
        (f"{start}{host}x{port}", _END),
        (f"{start}{host}.{port}", _END),
        *[(f"{start}evil{domain}{port}", _START) for domain in domains],
        *[(f"{start}evil-{domain}{port}", _START) for domain in domains],
        *[(f"{start}evil.{domain}{port}", _NAMES) for domain in domains],  # subdomain, siblings, another registrant
        *[(f"{start}{domain}{port}", _NAMES) for domain in domains[1:]],  # the parent domains
        (f"{_OTHER_SCHEMES.get(scheme, 'http')}://{host}{port}", _SCHEME),
        (f"{start}{host}:4444", _PORT),
        (f"{start}{host}{'' if port else ':8444'}", _PORT),
        (f"{start}{host}{port}".upper(), _SPELLING),
        (f"{start}evil.example/{host}{port}", _SPELLING),
        (f"{start}evil.example#{host}{port}", _SPELLING),
        (f"{start}{host}{port}@evil.example", _SPELLING),
        ("null", _SPELLING),
    ]


def hostile_to_list(field: str, patterns: Mapping[int, Pattern], accepts: Accepts) -> Iterator[PolicyProblem]:
    """A problem for each entry of a list through which a hostile origin is accepted."""
    listed = set(map(str, patterns.values()))
    wide = [pattern for pattern in patterns.values() if pattern.subdomains or pattern.any_port]
    for index, pattern in _tried(patterns):
        for text, cause in _pattern_tricks(pattern):
            if accepts(text.encode("ascii")) and text not in listed and not _covered(text, (pattern, *wide)):
                yield PolicyProblem(field, index, f"'{pattern}' would let in {text}: {cause}")
                break


def _tried(patterns: Mapping[int, Pattern]) -> Iterator[tuple[int, Pattern]]:
    """The entries to try: all of a list that people write, an even choice of one that a program has written.

    Exact entries share one set and the others one dictionary, so that the thousandth is looked up as the first is; with
    ``*`` nothing is hostile.
    """
    if ANY in patterns.values():
        return
    for exact in (True, False):
        alike = [(index, pattern) for index, pattern in patterns.items() if pattern.exact is exact]
        yield from alike[:: len(alike) // MAX_TRIED + 1]


def _pattern_tricks(pattern: Pattern) -> list[Trick]:
    if pattern == NULL:
        return []
    below = tricks(Origin(pattern.scheme, f"a.{pattern.host}", pattern.port)) if pattern.subdomains else []
    return tricks(Origin(pattern.scheme, pattern.host, pattern.port)) + below


def _covered(text: str, patterns: Iterable[Pattern]) -> bool:
    origin = read_origin(text)
    return origin is not None and any(pattern.covers(origin) for pattern in patterns)


def hostile_to_regex(samples: Sequence[Sample], accepts: Accepts, owner_part: OwnerPart) -> Trick | None:
    """The first hostile origin that an expression accepts, or None.

    ``owner_part`` says which part of a host tells its owner.
    """
    meant = _Meant(samples, owner_part)
    for sample in samples:
        for text, cause in _sample_tricks(sample):
            if accepts(text.encode("ascii")) and not meant.covers(text):
                return text, cause
    return None


def _sample_tricks(sample: Sample) -> Iterator[Trick]:
    if any(piece.free for piece in sample):
        yield from ((filled(sample, filling), _OPEN) for filling in _FILLINGS)
    text = spelled(sample)
    yield text, _OPEN
    origin = read_origin(text)
    if origin is not None:
        yield from tricks(origin)


def filled(sample: Sample, filling: str) -> str:
    """The sample with each run of free pieces replaced."""
    texts: list[str] = []
    was_free = False
    for piece in sample:
        if not piece.free:
            texts.append(piece.text)
        elif not was_free:
            texts.append(filling)
        was_free = piece.free
    return "".join(texts)


class _Meant:
    """The owners that an expression spells out, with their ports."""

    def __init__(self, samples: Iterable[Sample], owner_part: OwnerPart) -> None:
        self._owner_part = owner_part
        self._ports: dict[tuple[str, str], set[int | None]] = {}
        for sample in samples:
            self._add(sample)

    def covers(self, text: str) -> bool:
        """Whether this is an origin of an owner that is meant."""
        origin = read_origin(text)
        if origin is None:
            return False
        ports = self._ports.get((origin.scheme, self._owner(origin.host)), set())
        return _ANY_PORT in ports or origin.port in ports

    def _add(self, sample: Sample) -> None:
        origin = read_origin(spelled(sample))
        if origin is None:
            return
        free = [piece.free for piece in sample for _ in piece.text]
        host_start = len(origin.scheme) + len("://")
        host_end = host_start + len(origin.host)
        if any(free[:host_start]) or any(free[host_start:host_end][self._owner_part(origin.host)]):
            return
        port = _ANY_PORT if any(free[host_end:]) else origin.port
        self._ports.setdefault((origin.scheme, self._owner(origin.host)), set()).add(port)

    def _owner(self, host: str) -> str:
        return host[self._owner_part(host)]
