"""Looking up names: one question for a burst, a fresh one soon after, and nobody held up by somebody else's name."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from corsproxy.config.addresses import parse_endpoint
from corsproxy.errors import ConnectFailed
from corsproxy.proxy import dial as module
from corsproxy.proxy.dial import Resolver, dial, is_name
from tests.e2e.rig import PATIENCE, RawUpstream, silent


def addresses(port, host="127.0.0.1"):
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]


class LookUp:
    """Stands for getaddrinfo: counts the questions, and answers when it may."""

    def __init__(self, *answers, held=()):
        self.answers = list(answers)
        self.asked = []
        self.held = {name: threading.Event() for name in held}

    def __call__(self, host, port, **_):
        self.asked.append(host)
        if host in self.held:
            self.held[host].wait(PATIENCE)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("http://api.internal", True),
        ("http://localhost:8000", True),
        ("http://127.0.0.1", False),
        ("http://[::1]:80", False),
        ("unix:/run/api.sock", False),
    ],
)
def test_what_has_to_be_looked_up(url, named):
    assert is_name(parse_endpoint(url)[0]) is named


async def test_a_burst_is_one_question():
    look_up = LookUp(addresses(80), held=["a"])
    resolver = Resolver(look_up)
    asking = [asyncio.ensure_future(resolver.resolve("a", 80)) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()  # who leaves takes nobody along
    look_up.held["a"].set()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert results[1:] == [addresses(80)] * 19
    assert await resolver.resolve("a", 80) == addresses(80)
    assert look_up.asked == ["a"]


async def test_an_answer_is_asked_for_anew_when_it_is_old(monkeypatch):
    look_up = LookUp(addresses(80, "10.0.0.1"), addresses(80, "10.0.0.2"))
    resolver = Resolver(look_up)
    monkeypatch.setattr(module, "ANSWER_LIFETIME", 0.0)
    assert await resolver.resolve("a", 80) == addresses(80, "10.0.0.1")
    assert await resolver.resolve("a", 80) == addresses(80, "10.0.0.2")


async def test_a_failure_is_not_kept():
    look_up = LookUp(socket.gaierror(socket.EAI_AGAIN, "try again"), addresses(80))
    resolver = Resolver(look_up)
    with pytest.raises(ConnectFailed, match="its name cannot be resolved"):
        await resolver.resolve("a", 80)
    assert await resolver.resolve("a", 80) == addresses(80)


async def test_a_name_whose_server_is_silent_holds_up_no_other():
    """However many there are: libuv has four threads, and the loop's executor not many more."""
    slow = [f"slow-{number}" for number in range(60)]
    look_up = LookUp(addresses(80), held=slow)
    resolver = Resolver(look_up)
    asking = [asyncio.ensure_future(resolver.resolve(name, 80)) for name in slow]
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        assert await resolver.resolve("quick", 80) == addresses(80)
    assert not any(task.done() for task in asking)
    for event in look_up.held.values():
        event.set()
    await asyncio.gather(*asking)


def test_an_answer_that_comes_after_the_end_of_the_loop_is_nobodys():
    look_up = LookUp(addresses(80), held=["a"])

    async def ask():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await Resolver(look_up).resolve("a", 80)

    asyncio.run(ask())
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "resolve a"]
    look_up.held["a"].set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


async def test_an_address_that_refuses_is_not_believed_for_long():
    """The server has moved: the next connection asks again, and does not wait until the answer is old."""
    async with RawUpstream(silent) as server:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            look_up = LookUp(addresses(bound.getsockname()[1]), addresses(server.port))
            resolver = Resolver(look_up)
            endpoint, _ = parse_endpoint("http://api.internal")
            with pytest.raises(ConnectionRefusedError):
                await dial(endpoint, asyncio.Protocol(), resolver, None, None)
            await dial(endpoint, asyncio.Protocol(), resolver, None, None)
        assert (await server.connection()).ended == ""
