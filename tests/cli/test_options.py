"""Kinds of values that several options have."""

from __future__ import annotations

import click
import pytest

from corsproxy.cli.options import Duration, WorkerCount
from corsproxy.server.supervisor import available_cores


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("1.5", 1.5), ("500ms", 0.5), ("2m", 120), ("0s", 0)])
def test_a_duration(text, seconds):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "x", "-1", "1min", "1..5", "400d"])
def test_what_is_no_duration(text):
    with pytest.raises(click.BadParameter):
        Duration().convert(text, None, None)


def test_a_duration_that_may_not_be_zero():
    with pytest.raises(click.BadParameter, match="it must be longer than zero"):
        Duration(zero=False).convert("0", None, None)


@pytest.mark.parametrize(("text", "count"), [("1", 1), ("1024", 1024), ("auto", available_cores())])
def test_a_number_of_workers(text, count):
    assert WorkerCount().convert(text, None, None) == count


@pytest.mark.parametrize("text", ["0", "-1", "1025", "two", "1.5", ""])
def test_what_is_no_number_of_workers(text):
    with pytest.raises(click.BadParameter, match="is no number of workers; write 1 to 1024, or auto"):
        WorkerCount().convert(text, None, None)
