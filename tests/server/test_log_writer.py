"""Where log lines go, when somebody reads them and when nobody does."""

from __future__ import annotations

import os
import threading

import pytest

from corsproxy.server import log_writer
from corsproxy.server.log_writer import BATCH, FILE_BATCH, LogWriter

PATIENCE = 60


@pytest.fixture
def pipe():
    """A pipe's reading end, as a file, and its writing end, as a text stream; nobody reads yet."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "w", encoding="utf-8") as writer:
        yield reader, writer


def closed(writer, stream):
    """Write what is left, and end the stream, so that a reader comes to its end."""
    writer.close(PATIENCE)
    stream.close()


def test_lines_arrive_in_order(pipe):
    reader, stream = pipe
    writer = LogWriter(stream)
    for number in range(1000):
        writer.write(f"{number}\n")
    closed(writer, stream)
    assert reader.read().split() == [b"%d" % number for number in range(1000)]


def test_they_arrive_without_being_asked_to(pipe):
    reader, stream = pipe
    writer = LogWriter(stream)
    writer.write("first\n")
    assert reader.readline() == b"first\n"
    writer.write("second\n")
    assert reader.readline() == b"second\n"
    writer.close()


def test_what_was_printed_before_comes_before(pipe):
    reader, stream = pipe
    stream.write("printed\n")
    writer = LogWriter(stream)
    writer.write("logged\n")
    closed(writer, stream)
    assert reader.read() == b"printed\nlogged\n"


def test_a_pipe_that_nobody_reads_costs_lines_and_time_to_nobody(pipe, monkeypatch):
    """The pipe takes what its buffer holds, the queue what it may; the rest is dropped, counted and told."""
    monkeypatch.setattr(log_writer, "LONGEST_QUEUE", 100)
    reader, stream = pipe
    before = LogWriter.dropped_in_process
    writer = LogWriter(stream)
    line = "x" * 999 + "\n"
    written = 0
    while LogWriter.dropped_in_process < before + 50:  # for ever, if a write waited
        writer.write(line)
        written += 1
    dropped = LogWriter.dropped_in_process - before
    writer.close(0)  # and neither does the end
    lines = []
    thread = threading.Thread(target=lambda: lines.extend(reader.readlines()))
    thread.start()
    closed(writer, stream)
    thread.join(PATIENCE)
    told = [line for line in lines if b"dropped" in line]
    assert sum(int(line.split()[0]) for line in told) == dropped
    assert len(lines) - len(told) == written - dropped


def test_what_was_dropped_is_told_in_its_place(pipe, monkeypatch):
    """Whoever reads the lines knows between which two of them the others are missing."""
    monkeypatch.setattr(log_writer, "LONGEST_QUEUE", 3)
    sent, sending, reading = [], threading.Event(), threading.Event()

    def send(_, data):
        sending.set()
        reading.wait(PATIENCE)
        sent.append(data)

    monkeypatch.setattr(LogWriter, "_send", send)
    writer = LogWriter(pipe[1])
    writer.write("0\n")
    sending.wait(PATIENCE)
    for number in range(1, 8):
        writer.write(f"{number}\n")
    reading.set()
    writer.close(PATIENCE)
    assert b"".join(sent) == b"0\n1\n2\n3\n4 lines of this log were dropped, because its reader is too slow\n"


def test_batches_are_what_a_pipe_takes_whole(pipe, monkeypatch):
    """So that the lines of several workers never mix."""
    _, stream = pipe
    sizes = []
    monkeypatch.setattr(LogWriter, "_send", lambda self, data: sizes.append(data))
    writer = LogWriter(stream)
    for _ in range(500):
        writer.write("x" * 299 + "\n")
    writer.write("y" * 2 * BATCH + "\n")  # a line too long for that goes alone
    closed(writer, stream)
    *batches, long = [data for data in sizes if data]
    assert all(len(data) <= BATCH and data.endswith(b"\n") for data in batches)
    assert set(long) == set(b"y\n")
    assert len(b"".join(batches)) == 500 * 300


def test_several_lines_that_belong_together_stay_together(pipe, monkeypatch):
    _, stream = pipe
    sizes = []
    monkeypatch.setattr(LogWriter, "_send", lambda self, data: sizes.append(data))
    writer = LogWriter(stream)
    for _ in range(50):
        writer.write("\N{LATIN SMALL LETTER N WITH TILDE}" * 400 + "\n  and its explanation\n")
    closed(writer, stream)
    assert len(b"".join(sizes)) == 50 * (800 + 23)
    assert all(len(data) <= BATCH and data.endswith(b"explanation\n") for data in sizes if data)


def test_a_file_takes_more_at_once(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(LogWriter, "_send", lambda self, data: written.append(data))
    with (tmp_path / "log").open("w") as stream:
        writer = LogWriter(stream)
        for _ in range(1000):
            writer.write("x" * 199 + "\n")
        writer.close(PATIENCE)
    batches = [data for data in written if data]
    assert max(map(len, batches)) > BATCH
    assert all(len(data) <= FILE_BATCH and data.endswith(b"\n") for data in batches)
    assert len(b"".join(batches)) == 200_000


def test_a_stream_that_is_broken_breaks_nobody(pipe):
    reader, stream = pipe
    writer = LogWriter(stream)
    reader.close()
    writer.write("lost\n")
    writer.close(PATIENCE)
    assert not writer._sender.is_alive()


def test_a_stream_that_does_not_wait_is_waited_for(pipe):
    """Who shares standard output may have made it non-blocking."""
    reader, stream = pipe
    os.set_blocking(stream.fileno(), False)
    writer = LogWriter(stream)
    for _ in range(200):
        writer.write("x" * 999 + "\n")
    read = []
    thread = threading.Thread(target=lambda: read.append(reader.read()))
    thread.start()
    closed(writer, stream)
    thread.join(PATIENCE)
    assert len(read[0]) == 200_000


def test_a_stream_of_few_characters_gets_what_it_can_hold(pipe):
    reader, stream = pipe
    stream.reconfigure(encoding="ascii")
    writer = LogWriter(stream)
    writer.write("listening on ñ \udce9\n")
    closed(writer, stream)
    assert reader.read() == b"listening on \\xf1 \\udce9\n"
