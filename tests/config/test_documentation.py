"""docs/configuration.md: every key, and nothing else; its defaults, examples and refusals are true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from corsproxy.config.document import read_document
from corsproxy.config.load import load_config
from corsproxy.config.schema import json_schema
from corsproxy.errors import InvalidConfig

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
SCHEMA = json_schema()
CODE = re.compile(r"`([^`]+)`")
FACTS = ("Type", "Default", "Example", "Refused")


def keys_of(section, prefix=""):
    """Every key of a section and those below it, with its schema: rules[].path, policies.NAME.max_age."""
    for key, value in section.get("properties", {}).items():
        yield prefix + key, value, key in section.get("required", ())
        yield from below(value, prefix + key)


def below(value, path):
    if path in {"rules[].policy", "rules[].shadow"}:  # a policy written there has the keys of policies.NAME
        return
    if "$ref" in value:
        yield from keys_of(SCHEMA["$defs"][value["$ref"].rpartition("/")[2]], f"{path}.")
    if isinstance(value.get("additionalProperties"), dict):
        yield from below(value["additionalProperties"], f"{path}.NAME")
    if "items" in value:
        yield from below(value["items"], f"{path}[]")
    for branch in value.get("oneOf", []) + [branch for branch in value.get("anyOf", []) if "items" in branch]:
        yield from below(branch, path)


KEYS = {path: (value, required) for path, value, required in keys_of(SCHEMA)}


def sections():
    """The heading's keys and the facts below it."""
    for part in PAGE.split("\n### ")[1:]:
        heading, _, body = part.partition("\n")
        facts = {}
        for fact in FACTS:
            match = re.search(rf"^- \*\*{fact}:\*\* (.*?)(?=\n- \*\*|\n\n|\Z)", body, re.DOTALL | re.MULTILINE)
            facts[fact] = " ".join(match[1].split()) if match else ""
        for path in CODE.findall(heading):
            yield path, facts


DOCUMENTED = list(sections())


def test_every_key_is_documented_and_no_unknown_one():
    assert sorted(path for path, _ in DOCUMENTED) == sorted(KEYS)


def test_every_key_has_every_fact():
    assert [(path, fact) for path, facts in DOCUMENTED for fact in FACTS if not facts[fact]] == []


def value_of(code):
    """The key and the value of a line like ``max_age: 10m``."""
    root, problems = read_document(code, "documentation", {})
    assert root is not None, code
    assert problems == [], code
    return root.plain()


@pytest.mark.parametrize(("path", "facts"), DOCUMENTED, ids=[path for path, _ in DOCUMENTED])
def test_the_default_is_true(path, facts):
    schema, required = KEYS[path]
    stated = facts["Default"]
    if required:
        assert stated == "required"
    elif "default" in schema and schema["default"] != "":
        assert value_of(f"default: {CODE.match(stated)[1]}")["default"] == schema["default"]


# Where an example is put, by the section that its key belongs to.
POLICY = {"allow_origins": "https://app.example.com"}
RULE = {"upstream": "http://a", "policy": "none"}


def configuration(path, keys):
    """A configuration that has ``keys`` in the section of ``path``, and is well otherwise."""
    section = path.rpartition(".")[0]
    if section.startswith("policies"):
        own = {} if "allow_origin_regex" in keys else POLICY
        return {"policies": {"p": own | keys}, "rules": [{**RULE, "policy": "p"}]}
    if section.startswith("upstreams"):
        below = keys if section.count(".") == 1 else {section.rpartition(".")[2]: keys}
        own = {} if {"url", "urls"} & set(keys) else {"url": "https://a" if "tls" in below else "http://a"}
        return {"upstreams": {"u": own | below}, "rules": [{**RULE, "upstream": "u"}]}
    if section.startswith("rules"):
        for step in reversed(section.split(".")[1:]):
            keys = {step: keys}
        return {"rules": [RULE | keys]}
    if section.startswith("tests"):
        return {"rules": [RULE], "tests": [{"origin": "https://app.example.com"} | keys]}
    if section.startswith("listen"):
        listener = {"address": "127.0.0.1:1"}
        tls = {"cert": "c", "key": "k"} | keys if section.endswith("tls") else None
        top = {key: keys.pop(key) for key in ["trusted_proxies"] if key in keys}
        return {"listen": {**listener, "tls": tls} if tls else listener | keys, "rules": [RULE], **top}
    return {"rules": [RULE]} | ({section: keys} if section else keys)


def problems_of(path, codes):
    keys = {key: value for code in codes for key, value in value_of(code).items()}
    try:
        # JSON is YAML, and one line of it says nothing new about positions.
        load_config(json.dumps(configuration(path, keys)), "documentation", {})
    except InvalidConfig as invalid:
        return [problem.message for problem in invalid.problems]
    return []


@pytest.mark.parametrize(("path", "facts"), DOCUMENTED, ids=[path for path, _ in DOCUMENTED])
def test_the_example_works(path, facts):
    pytest.importorskip("re2")
    codes = CODE.findall(facts["Example"])
    assert path.rpartition(".")[2] in value_of(codes[0])
    assert problems_of(path, codes) == []


EXAMPLES = [
    pytest.param(path, facts, example, id=f"{path}-{json.dumps(example)}")
    for path, facts in DOCUMENTED
    for example in KEYS[path][0].get("examples", ())
]


@pytest.mark.parametrize(("path", "facts", "example"), EXAMPLES)
def test_what_editors_offer_works(path, facts, example):
    """Together with whatever the documentation's example needs beside it."""
    pytest.importorskip("re2")
    beside = CODE.findall(facts["Example"])[1:]
    assert problems_of(path, [f"{path.rpartition('.')[2]}: {json.dumps(example)}", *beside]) == []


REFUSALS = [
    (path, CODE.findall(re.sub(r"\([^()]*\)", "", item)))
    for path, facts in DOCUMENTED
    for item in re.split(r"; (?=`)", facts["Refused"])
]


@pytest.mark.parametrize(("path", "codes"), REFUSALS, ids=[f"{path}-{codes[0]}" for path, codes in REFUSALS])
def test_what_is_refused_is_refused(path, codes):
    pytest.importorskip("re2")
    assert len(problems_of(path, codes)) == 1


@pytest.mark.parametrize("block", re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
def test_blocks_of_yaml_are_configurations(block):
    assert load_config(block, "documentation", {}).warnings == ()
