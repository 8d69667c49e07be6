"""Ways in which a server is wrong, each as a change of what was seen of one that is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from corsproxy.conformance.judge import Seen
from corsproxy.conformance.wire import Lines, Received, Response

Wrong = Callable[[Seen], Seen]

ACAO, ACAC = b"Access-Control-Allow-Origin", b"Access-Control-Allow-Credentials"


def answered(seen: Seen, **changes: Any) -> Seen:
    """The same with another answer; where there was none, one is made up."""
    return replace(seen, answer=replace(seen.answer or Response(200, ()), **changes))


def headers_of(seen: Seen) -> Lines:
    return seen.answer.headers if seen.answer else ()


def asked(seen: Seen, name: bytes) -> bytes:
    return b", ".join(value for own, value in seen.asked.headers if own.lower() == name)


def without(seen: Seen, *prefixes: bytes) -> Lines:
    return tuple(line for line in headers_of(seen) if not line[0].lower().startswith(prefixes))


def no_cors(seen: Seen) -> Seen:
    """As if nobody had added CORS."""
    return answered(seen, headers=without(seen, b"access-control-", b"timing-"))


def everything(seen: Seen) -> Seen:
    """Grants whatever was asked for, to whoever asks, with credentials."""
    grants = (
        (ACAO, asked(seen, b"origin") or b"*"),
        (ACAC, b"true"),
        (b"Access-Control-Allow-Methods", asked(seen, b"access-control-request-method")),
        (b"Access-Control-Allow-Headers", asked(seen, b"access-control-request-headers")),
        (b"Access-Control-Expose-Headers", b", ".join(name for name, _ in headers_of(seen))),
        (b"Access-Control-Max-Age", b"99999999"),
        (b"Access-Control-Allow-Private-Network", b"true"),
        (b"Timing-Allow-Origin", b"*"),
    )
    return answered(seen, status=200, headers=(*without(seen, b"access-control-", b"timing-"), *grants))


def everything_without_credentials(seen: Seen) -> Seen:
    return answered(everything(seen), headers=(*without(everything(seen), b"access-control-allow-c"),))


def star(seen: Seen) -> Seen:
    return answered(seen, headers=(*without(seen, ACAO.lower()), (ACAO, b"*")))


def doubled(seen: Seen) -> Seen:
    return answered(
        seen, headers=(*headers_of(seen), *(line for line in headers_of(seen) if line[0].startswith(b"Acc")))
    )


def says_false(seen: Seen) -> Seen:
    return answered(
        seen, headers=(*headers_of(seen), (ACAC, b"false"), (b"Access-Control-Allow-Private-Network", b"false"))
    )


def never_varies(seen: Seen) -> Seen:
    return answered(seen, headers=without(seen, b"vary", ACAO.lower()))


def varies_on_origin_alone(seen: Seen) -> Seen:
    return answered(seen, headers=(*without(seen, b"vary"), (b"Vary", b"Origin")))


def repeats_the_request(seen: Seen) -> Seen:
    """What a client sends becomes the answer, head and body."""
    return answered(seen, headers=(*headers_of(seen), *seen.asked.headers), body=seen.sent)


def crashes(seen: Seen) -> Seen:
    return replace(seen, answer=Response(500, ()), received=[])


def hangs_up(seen: Seen) -> Seen:
    return replace(seen, answer=None)


def switches(seen: Seen) -> Seen:
    return answered(seen, status=101)


def says_no_content(seen: Seen) -> Seen:
    return answered(seen, status=204, headers=(*headers_of(seen), (b"Content-Length", b"0")))


def interim_grants(seen: Seen) -> Seen:
    return answered(seen, interim=(Response(103, ((ACAO, b"*"),)),))


def forwards_everything(seen: Seen) -> Seen:
    """The upstream gets it all, once more and as it came."""
    parts = seen.asked.target.partition("?")
    again = Received(seen.asked.method, parts[0], (*seen.asked.headers, (b"Cookie", b"kept=1"), (b"Upgrade", b"h2c")))
    return replace(seen, received=[*seen.received, again])


def looks_whole(seen: Seen) -> Seen:
    return answered(seen, status=200, whole=True)


def loses_headers(seen: Seen) -> Seen:
    return answered(seen, headers=(), body=b"")


def leads_away(seen: Seen) -> Seen:
    location = (b"Location", b"http://127.0.0.1:1/next")
    return answered(seen, headers=(*headers_of(seen), location, (b"Alt-Svc", b'h3=":1"'), (b"X-Evil", b"1")))


def answers_twice(seen: Seen) -> Seen:
    return replace(seen, more=seen.more + 1)


def grants_itself(seen: Seen) -> Seen:
    """A preflight's answer to every request."""
    names = (b"Access-Control-Allow-Methods", b"Access-Control-Allow-Headers", b"Access-Control-Max-Age")
    return answered(seen, headers=(*headers_of(seen), *((name, b'x:"\r,,<%') for name in names)))


WRONG: Final[tuple[Wrong, ...]] = (
    no_cors, everything, everything_without_credentials, star, doubled, says_false, never_varies,
    varies_on_origin_alone, repeats_the_request, crashes, hangs_up, switches, says_no_content, interim_grants,
    forwards_everything, looks_whole, loses_headers, leads_away, answers_twice, grants_itself,
)  # fmt: skip
