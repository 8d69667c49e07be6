"""Reports for programs and for publication."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

from corsproxy.conformance.formats import as_junit, plain
from corsproxy.conformance.html import page


def test_json_says_everything(report):
    found = json.loads(json.dumps(plain(report("careless"))))
    assert found["total"]["held"] + found["total"]["failed"] == len(found["results"])
    failed = next(result for result in found["results"] if result["id"] == "origin-lookalike-suffix")
    assert failed["outcome"] == "failed"
    assert failed["protects"].startswith("a page of https://app.example.com.evil.example reads")
    assert failed["why"]


def test_junit_counts_what_failed_and_what_was_not_asked(report):
    root = ET.fromstring(as_junit([report("careless"), report("unable")]))  # our own
    careless, unable = root.findall("testsuite")
    assert int(careless.get("failures", "")) == len(careless.findall("testcase/failure")) > 300
    assert int(unable.get("skipped", "")) == len(unable.findall("testcase/skipped")) > 300
    assert careless.find("testcase").get("classname") == "careless.origins"


class Page(HTMLParser):
    """What a browser finds: whether every element is closed, and what it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.loads += [value for name, value in attrs if name in {"src", "srcset", "style"} or name.startswith("on")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_is_whole_and_loads_nothing(report):
    text = page([report("corsproxy"), report("careless"), report("unable")], "2026-11-22")
    found = Page()
    found.feed(text)
    assert found.open == []
    assert found.loads == []
    assert not found.tags & {"script", "img", "link", "iframe"}
    assert "url(" not in text
    assert "It is wrong <on purpose>." in found.text
    assert "0 & counting" in found.text
    assert "2026-11-22" in found.text


def test_nothing_that_was_sent_or_came_back_is_markup(report):
    """Vectors send markup, and a careless server sends it back."""
    text = page([report("careless")], "2026-11-22")
    assert "&lt;script&gt;" in text
    assert "<script" not in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)


def test_links_lead_to_sources(report):
    links = set(re.findall(r'href="([^"]*)"', page([report("careless")], "")))
    assert "https://fetch.spec.whatwg.org/#cors-protocol-and-http-caches" in links
    assert all(re.fullmatch(r"https://[^\s\"<>]+", link) for link in links)
