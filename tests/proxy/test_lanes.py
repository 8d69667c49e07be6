"""Which lanes a process has."""

import pytest
from aiohttp.web_protocol import RequestHandler

from corsproxy.proxy.lanes import FastDownstream, lanes
from corsproxy.proxy.listener import Downstream


def test_both_lanes_are_the_default():
    assert lanes({}) is FastDownstream


@pytest.mark.parametrize("word", ["off", "OFF", "0", "false", "no"])
def test_the_fast_lane_can_be_turned_off(word):
    assert lanes({"CORSPROXY_FAST_LANE": word}) is Downstream


def test_an_aiohttp_that_has_changed_is_left_alone_with_a_warning(monkeypatch, caplog):
    monkeypatch.delattr(RequestHandler, "_process_keepalive")
    assert lanes({}) is Downstream
    assert "_process_keepalive" in caplog.text
