"""The files of vectors: what is read from them, and what is refused."""

from __future__ import annotations

import pytest

from corsproxy.config.model import PolicyConfig
from corsproxy.conformance.load import InvalidVectors, read

SETTINGS = "one:\n  policy: {allow_origins: [https://a.example]}\n"


def entry(**changes: str) -> str:
    """A file of one vector, as YAML; ``None`` leaves a key out."""
    keys = {
        "id": "a",
        "title": "t",
        "source": "s",
        "protects": "p",
        "setting": "one",
        "request": "GET / HTTP/1.1",
        "expect": "{status: 200}",
        **changes,
    }
    return "title: T\nvectors:\n  - " + "\n    ".join(f"{key}: {value}" for key, value in keys.items() if value)


def test_a_vector_is_read():
    suite = read({"settings.yaml": SETTINGS, "topic.yaml": entry()})
    (vector,) = suite.vectors
    assert (vector.id, vector.topic, vector.exchanges[0].expect.status) == ("a", "topic", [200])
    assert suite.settings["one"].policy == PolicyConfig(allow_origins=["https://a.example"])
    assert [topic.title for topic in suite.topics] == ["T"]


def test_a_family_is_a_vector_for_each_case():
    cases = "{x: {word: '1', title: '{word}!'}, y: {word: '2', expect: {body: '{word}'}}}"
    suite = read(
        {"settings.yaml": SETTINGS, "topic.yaml": entry(cases=cases, title="'{word}?'", values="{other: '3'}")}
    )
    assert [(vector.id, vector.title) for vector in suite.vectors] == [("a-x", "1!"), ("a-y", "2?")]
    assert suite.vectors[0].values == {"word": "1", "other": "3"}
    assert suite.vectors[1].exchanges[0].expect.body == "2"


WRONG = [
    ({"expect": "{stats: 200}"}, "topic.yaml: a: exchanges.0.expect.stats: Extra inputs are not permitted"),
    ({"expect": "{status: 9xx}"}, "write 204, 2xx, 3xx, 4xx, 5xx or closed"),
    ({"expect": "{browser: alowed}"}, "exchanges.0.expect.browser"),
    ({"expect": "{browser: {omit: maybe}}"}, "exchanges.0.expect.browser"),
    ({"id": "A_b"}, "String should match pattern"),
    ({"source": ""}, "topic.yaml: a: source: Field required"),
    ({"protects": ""}, "topic.yaml: a: protects: Field required"),
    ({"setting": "two"}, "a: there is no setting 'two'"),
    ({"request": "'GET {pth} HTTP/1.1'"}, "a: nothing stands for {pth}"),
    ({"upstream": "{how: sleep}"}, "exchanges.0.upstream.how"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_what_nobody_would_check_is_refused(changes, message):
    with pytest.raises(InvalidVectors) as invalid:
        read({"settings.yaml": SETTINGS, "topic.yaml": entry(**changes)})
    assert message in str(invalid.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(InvalidVectors) as invalid:
        read(
            {
                "settings.yaml": SETTINGS + "other: {policy: {allow_origin: x}}\nidle: {policy: {}}\n",
                "a.yaml": entry(),
                "b.yaml": entry(),
            }
        )
    text = str(invalid.value)
    assert "settings.yaml: other: policy.allow_origin: Extra inputs are not permitted" in text
    assert "a: 2 vectors have this id" in text
    assert "settings.yaml: no vector needs 'idle'" in text


def test_the_vectors_say_where_they_come_from(suite):
    """Standards, and every bug of the engines that was collected before this project was begun."""
    sources = " ".join(vector.source for vector in suite.vectors)
    for name in (
        *("CVE-2018-20744", "CVE-2017-20146", "CVE-2024-25124", "CVE-2025-34291", "CVE-2026-54290"),
        *("GHSA-972r-f3fv-whm3", "CVE-2026-37737", "GHSA-vhxv-fg4m-p2w8", "CVE-2019-25211", "CVE-2024-6866"),
        *("CVE-2024-6844", "CVE-2024-6839", "CVE-2024-6221", "CVE-2024-45410", "CVE-2020-36851"),
        *("fetch.spec.whatwg.org", "rfc9110", "rfc9111", "rfc9112", "rfc6455"),
    ):
        assert name in sources, name
    assert any("CVE-2024-1681" in vector.protects for vector in suite.vectors)


def test_no_two_vectors_are_the_same(suite):
    seen = {}
    for vector in suite.vectors:
        key = (vector.setting, tuple(sorted(vector.values.items())), str(vector.exchanges))
        assert seen.setdefault(key, vector.id) == vector.id
