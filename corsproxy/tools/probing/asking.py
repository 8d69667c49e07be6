"""The questions, sent: one at a time, each on a connection of its own, to the one host that was named.

Rules: no redirect is followed, no cookie is kept, no proxy of the environment is asked; of an answer only the head is
read, which is bounded in lines, length and time.  aiohttp's client is good enough here: nobody waits for its speed, and
``raw_headers`` has every line as it came.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp
from yarl import URL

from corsproxy.cors.fetch import WireRequest, WireResponse
from corsproxy.errors import CorsproxyError
from corsproxy.http.answers import printable
from corsproxy.tools.probing.answers import NO_ANSWER, Answered
from corsproxy.tools.probing.questions import ROUNDS, Target
from corsproxy.tools.probing.report import Report, report

SECONDS: Final = 10.0  # for one answer's head, connection included
_LONGEST_LINE: Final = 65_536

Ask = Callable[[WireRequest], Awaitable[WireResponse]]


class Unreachable(CorsproxyError):
    """The API gave no answer; the text says why."""


async def probe(target: Target, seconds: float = SECONDS) -> Report:
    """Ask everything and judge it; raises Unreachable at the first request, preflights aside, that gets no answer."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=1, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        auto_decompress=False,
        max_line_size=_LONGEST_LINE,
        max_field_size=_LONGEST_LINE,
    ) as session:

        async def ask(asked: WireRequest) -> WireResponse:
            return await _sent(session, asked, seconds)

        return await conduct(target, ask)


async def conduct(target: Target, ask: Ask) -> Report:
    """Both rounds, asked one by one.

    Servers that do not know OPTIONS may hang up on it, which is a finding, and no reason to give up.
    """
    answered: list[Answered] = []
    for questions in ROUNDS:
        for question in questions(target, tuple(answered)):
            try:
                answer = await ask(question.asked)
            except Unreachable:
                if not question.preflight:
                    raise
                answer = NO_ANSWER
            answered.append(Answered(question, answer))
    return report(target, answered)


async def _sent(session: aiohttp.ClientSession, asked: WireRequest, seconds: float) -> WireResponse:
    url = URL(asked.url, encoded=True)
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in asked.headers]
    where = f"{url.scheme}://{url.authority}"
    try:
        async with asyncio.timeout(seconds):
            response = await session.request(asked.method.decode(), url, headers=headers, allow_redirects=False)
            response.close()  # whatever the body is, nobody reads it
    except TimeoutError:
        raise Unreachable(f"{where} gave no answer in {seconds:g} s; is it running, and reachable from here?") from None
    except (aiohttp.ClientSSLError, ssl.CertificateError) as error:
        raise Unreachable(f"there is no secure connection to {where} ({_reason(error)})") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Unreachable(f"{where} gave no answer ({_reason(error)}); is it running, and is the port right?") from None
    return WireResponse(response.status, response.raw_headers)


def _reason(error: Exception) -> str:
    """What has happened, in a line; aiohttp shows the server's bytes in others below it."""
    inner = getattr(error, "os_error", error)
    text = getattr(error, "message", "") or getattr(inner, "strerror", "") or str(inner)
    return printable(str(text).partition("\n")[0].rstrip(":"))
