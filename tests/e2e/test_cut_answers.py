"""An answer cut behind each of its bytes, by an end, a reset or silence: whole, an own failure, or broken; never less.

The client is shown what an upstream's stack may do at its worst moment.  What it may see is one of three: the complete
and correct answer, the proxy's own answer with its CORS lines, or a transfer that breaks.
"""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.e2e.rig import (
    GRANT,
    ORIGIN,
    Response,
    RunningProxy,
    ServerWire,
    TransferError,
    answer,
    assert_readable_failure,
    between,
    chunked,
    request,
)

CHUNKED = b"Transfer-Encoding: chunked"
ANSWERS = {
    "length": (answer(b"200 OK", b"X-A: 1", body=b"hello"), b"hello"),
    "chunked": (answer(b"200 OK", CHUNKED, body=chunked(b"hel", b"lo", trailers=(b"X-Sum: 1",))), b"hello"),
    "interim": (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(b"200 OK", body=b"hello"), b"hello"),
    "empty": (answer(b"204 No Content", b"X-A: 1"), b""),
    "not modified": (answer(b"304 Not Modified", b"ETag: x", b"Content-Length: 5"), b""),
    "two lengths in a row": (answer(b"200 OK", body=b"hello") + answer(b"200 OK", body=b"for nobody"), b"hello"),
}
ENDS = ("close", "half close", "reset", "silence")


def cutting(cuts: dict[bytes, int], whole: bytes, end: str):
    """An upstream that sends only so many bytes to whom asks for a target, and ends in this way."""

    async def script(wire: ServerWire) -> None:
        received = await wire.request()
        await wire.send(whole[: cuts[received.target]])
        if end == "close":
            wire.close()
        elif end == "half close":
            wire.finish()
            await wire.until_ended()
        elif end == "reset":
            wire.reset()
        else:
            await wire.until_ended()

    return script


async def outcome(proxy: RunningProxy, target: bytes, version: bytes) -> Response | str:
    """The final answer, or how the transfer broke."""
    client = await proxy.send(request(b"GET " + target, ORIGIN, version=version))
    try:
        response = await client.response()
        while response.status == 103:
            response = await client.response()
    except TransferError as broken:
        assert b"hello".startswith(broken.body) or b"HTTP/1.1 " in broken.body  # noqa: PT017 - either is right
        return broken.how
    finally:
        client.close()
    return response


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("whole", "body"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_answer_cut_anywhere_is_whole_or_a_failure_or_broken(whole, body, end, version):
    cuts = {b"/%d" % cut: cut for cut in range(len(whole) + 1)}
    timeouts = {"response": 0.3, "idle": 0.3} if end == "silence" else {}
    async with between(cutting(cuts, whole, end), timeouts=timeouts) as (_, proxy):
        outcomes = await asyncio.gather(*(outcome(proxy, target, version) for target in cuts))
    complete = 0
    for seen in outcomes:
        if isinstance(seen, str):
            continue
        if seen.status in {502, 504}:
            assert_readable_failure(seen, 504 if end == "silence" else 502)
            continue
        assert (seen.body, seen.cors) == (body, GRANT)
        complete += 1
    assert not isinstance(outcomes[-1], str), "the whole answer is never broken"
    assert complete >= 1


UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\nhello"


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("end", ["reset", "silence"])
async def test_body_that_ends_with_the_connection_is_only_whole_when_it_ends_in_order(end, version):
    """Nobody can tell that such a body is cut by an orderly end; everything else must show."""
    cuts = {b"/%d" % cut: cut for cut in range(len(UNTIL_CLOSE) + 1)}
    timeouts = {"response": 0.3, "idle": 0.3}
    async with between(cutting(cuts, UNTIL_CLOSE, end), timeouts=timeouts) as (_, proxy):
        outcomes = await asyncio.gather(*(outcome(proxy, target, version) for target in cuts))
    for seen in outcomes:
        if not isinstance(seen, str):
            assert_readable_failure(seen, 504 if end == "silence" else 502)


# Drips.


async def test_head_that_drips_for_ever_ends_with_the_time_out():
    """Each byte comes in time, and yet there is never a head: the limit counts from the request on."""

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nX-A: ")
        while not wire.ended:
            await wire.send(b"a")
            await asyncio.sleep(0.01)  # what is under test is a time limit

    async with between(script, timeouts={"response": 0.2}) as (upstream, proxy):
        assert_readable_failure(await proxy.ask(b"GET /x", ORIGIN), 504)
        await (await upstream.connection()).until_ended()


async def test_interim_answers_that_drip_end_with_the_time_out():
    async def script(wire: ServerWire) -> None:
        await wire.request()
        while not wire.ended:
            await wire.send(b"HTTP/1.1 102 Processing\r\n\r\n")
            await asyncio.sleep(0.05)  # what is under test is a time limit

    async with between(script, timeouts={"response": 0.3}) as (_, proxy):
        client = await proxy.send(request(b"GET /x", ORIGIN))
        while (response := await client.response()).status == 102:
            pass
    assert_readable_failure(response, 504)


@pytest.mark.parametrize(
    "padding",
    [
        b"5;" + b"a" * 20_000 + b"\r\nhello\r\n",
        b"0" * 20_000 + b"5\r\nhello\r\n",
        b"5\r\nhello\r\n0\r\n" + b"X-A: b\r\n" * 2_500,
        b"10000\r\n" + b"c" * 65_536 + b"\r\n5;" + b"a" * 20_000 + b"\r\nhello\r\n",
    ],
    ids=["extension", "zeros", "trailers", "extension behind much content"],
)
async def test_chunks_with_20_kb_of_padding_break_the_transfer(padding):
    """https://www.rfc-editor.org/rfc/rfc9112#section-7.1.1."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def script(wire: ServerWire) -> None:
        await wire.request()
        await wire.send(head + padding + b"0\r\n\r\n")
        await wire.until_ended()

    async with between(script) as (upstream, proxy):
        client = await proxy.connect()
        with contextlib.suppress(TransferError):
            assert_readable_failure(await client.ask(b"GET /x", ORIGIN), 502)
        await (await upstream.connection()).until_ended()


async def test_head_bomb_is_502_and_a_large_head_passes():
    """256 KiB is where browsers give up themselves."""
    large = [b"X-%d: %b" % (index, b"a" * 1_000) for index in range(200)]
    bomb = [b"X-%d: %b" % (index, b"a" * 1_000) for index in range(300)]
    async with between(lambda wire: _answers(wire, large, bomb)) as (_, proxy):
        assert len((await proxy.ask(b"GET /large", ORIGIN)).named(b"x-")) == 200
        assert_readable_failure(await proxy.ask(b"GET /bomb", ORIGIN), 502)


async def _answers(wire: ServerWire, large: list[bytes], bomb: list[bytes]) -> None:
    while True:
        received = await wire.request()
        await wire.send(answer(b"200 OK", *(large if received.target == b"/large" else bomb)))
