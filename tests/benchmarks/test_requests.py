from __future__ import annotations

import httptools
import pytest

from benchmarks import rule
from benchmarks.load import requests
from benchmarks.load.open_loop import percentile


class Head:
    def __init__(self, data: bytes) -> None:
        self.fields: dict[str, str] = {}
        self.target, self.body, self.complete = b"", b"", False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(data)

    def on_url(self, url):
        self.target += url

    def on_header(self, name, value):
        self.fields[name.decode().lower()] = value.decode()

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        self.complete = True


@pytest.mark.parametrize(
    ("made", "number"),
    [
        (requests.small("/p"), 1),
        (requests.browser("/p"), 1),
        (requests.closing("/p"), 1),
        (requests.preflight("/p"), 1),
        (requests.denied_preflight("/p"), 1),
        (requests.download("64k", "/p"), 1),
        (requests.upload("64k", "/p"), 1),
        (requests.various("/p"), requests.VARIETY),
        (requests.different_preflights("/p"), requests.VARIETY),
        (requests.different_denied_preflights("/p"), requests.VARIETY),
        (requests.among_rules([f"/r{number}" for number in range(9999)], "/p"), requests.VARIETY),
        (requests.among_rules([], "/p"), requests.VARIETY),
        (requests.among_origins([f"https://a{number}.example" for number in range(10)], "/p"), requests.VARIETY),
    ],
)
def test_requests_are_whole_different_and_below_the_prefix(made, number):
    assert len(set(made)) == number
    for data in made:
        head = Head(data)
        assert head.complete
        assert head.target.startswith(b"/p/")
        assert b"\0" not in data  # what separates them in wrk's file


def test_requests_are_spread_over_all_rules():
    paths = [f"/r{number}" for number in range(2 * requests.VARIETY)]
    asked = {Head(data).target.split(b"/books/")[0].decode() for data in requests.among_rules(paths, "")}
    assert asked == set(paths[::2])
    few = {Head(data).target.split(b"/books/")[0] for data in requests.among_rules(["/a", "/b"], "")}
    assert few == {b"/a", b"/b"}


def test_a_browser_sends_thirteen_headers_besides_host():
    assert len(Head(requests.browser("")[0]).fields) == 14


def test_an_upload_has_its_body():
    assert len(Head(requests.upload("64k", "")[0]).body) == rule.BODIES["64k"]


def test_every_second_various_request_is_of_the_allowed_page():
    origins = [Head(data).fields["origin"] for data in requests.various("")]
    assert origins.count(rule.ORIGIN) == 500
    assert len(set(origins)) == 501


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_percentiles(share, expected):
    assert percentile([float(number) for number in range(1, 101)], share) == expected
