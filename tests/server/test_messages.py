"""What parent and workers say to each other."""

from __future__ import annotations

import asyncio
import socket

from hypothesis import given
from hypothesis import strategies as st

from corsproxy.server.colleagues import Alone, Gathered, State
from corsproxy.server.messages import Kind, Messages, message
from corsproxy.server.worker_channel import WorkerChannel, read_gathered, write_gathered

MESSAGE = st.tuples(st.sampled_from(Kind), st.binary(max_size=40))
STATE = State("abc", reloads=2, refused=("a", "b"), workers=3)


@given(st.lists(MESSAGE, max_size=6), st.lists(st.integers(1, 30), min_size=1))
def test_messages_arrive_whole_however_they_are_cut(messages, cuts):
    data = b"".join(message(kind, payload) for kind, payload in messages)
    reader, received, position = Messages(), [], 0
    while position < len(data):
        for cut in cuts:
            received += reader.feed(data[position : position + cut])
            position += cut
    assert received == messages


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_what_was_gathered_arrives(snapshots):
    gathered = Gathered(STATE, tuple(snapshots))
    assert read_gathered(write_gathered(gathered)) == gathered


async def test_a_worker_answers_for_itself_and_asks_for_all():
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    ours.setblocking(False)
    channel = WorkerChannel(lambda: b"mine")
    await loop.create_unix_connection(lambda: channel, sock=theirs)
    asking = [asyncio.ensure_future(channel.gather()) for _ in range(2)]
    reader, heard = Messages(), []
    while len(heard) < 2:
        heard += reader.feed(await loop.sock_recv(ours, 4096))
    assert heard == [(Kind.GATHER, b""), (Kind.GATHER, b"")]
    await loop.sock_sendall(ours, message(Kind.ASK, b"7"))
    assert list(reader.feed(await loop.sock_recv(ours, 4096))) == [(Kind.SNAPSHOT, b"7\nmine")]
    gathered = Gathered(STATE, (b"mine", b"another's"))
    asking.append(asyncio.ensure_future(channel.gather()))
    asking[0].cancel()
    await asyncio.sleep(0)
    await loop.sock_sendall(ours, message(Kind.GATHERED, write_gathered(gathered)) + message(Kind.END))
    assert await asyncio.gather(*asking[1:]) == [gathered, gathered]
    assert await channel.orders.get() == (Kind.END, b"")
    ours.close()
    assert await channel.orders.get() == (Kind.DRAIN, b"{}")  # whoever has no parent ends


async def test_the_only_process_gathers_itself():
    alone = Alone(lambda: b"mine")
    alone.state = STATE
    assert await alone.gather() == (STATE, (b"mine",))
    assert (await Alone().gather()).snapshots == (b"",)
