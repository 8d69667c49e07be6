"""A mismatch between what is written and the model, in words.

pydantic's errors are translated here, by their type; its own words appear nowhere.
"""

from __future__ import annotations

from typing import NamedTuple

from pydantic_core import ErrorDetails

from corsproxy.config.scalars import written
from corsproxy.config.section import Section
from corsproxy.config.sections import TITLES, home_of, meant, section_at
from corsproxy.config.written import Found, Node, Path, Unusable


class Wording(NamedTuple):
    """What is said about a mismatch.

    ``correction`` is YAML for the value, or for the whole line where a key is concerned; ``meant`` is the known key
    that an unknown one was probably meant to be.
    """

    message: str
    correction: str = ""
    meant: str = ""


_WANTED = {
    "bool_type": "true or false",
    "string_type": "text",
    "int_type": "a whole number",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_YES_AND_NO = {"yes": "true", "on": "true", "y": "true", "1": "true", "no": "false", "off": "false", "n": "false"}
# What a missing key could be.
_EXAMPLES = {
    "rules": "rules: [{path: /, upstream: http://127.0.0.1:8000, policy: none}]",
    "upstream": "upstream: http://127.0.0.1:8000",
    "policy": "policy: none",
    "address": "address: 127.0.0.1:8080",
    "cert": "cert: /etc/corsproxy/cert.pem",
    "header": "header: X-Request-Id",
    "key": "key: /etc/corsproxy/key.pem",
    "origin": "origin: https://app.example.com",
    "tests": "tests: [{origin: https://app.example.com}]",
}


def describe_missing(key: str, path: Path, root: type[Section]) -> Wording:
    """The words for a key that is not in the mapping at a path below ``root``."""
    return Wording(f"{TITLES[section_at(path, root)]} needs the key {key!r}", _EXAMPLES[key])


def describe(error: ErrorDetails, found: Found, root: type[Section]) -> Wording:
    """The words for any other error; ``found`` is the value, somewhere below ``root``."""
    kind, node = error["type"], found.node
    if kind == "extra_forbidden":
        return _unknown_key(str(found.path[-1]), section_at(found.path[:-1], root), found.nodes[-2])
    if node.value is None:
        return _nothing(found.path, node)
    if kind == "value_error" and isinstance(unusable := error["ctx"]["error"], Unusable):
        return Wording(str(unusable), written(unusable.correction) if unusable.correction else "")
    if kind == "literal_error":
        return _not_one_of(error["ctx"]["expected"], node)
    if kind in _WANTED:
        return _wrong_kind(kind, node)
    context = error["ctx"]
    bound = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
    return Wording(f"{node.value} is out of range; it must be {bound}")


def _unknown_key(key: str, section: type[Section], parent: Node) -> Wording:
    known = list(section.model_fields)
    if home := home_of(key):
        return Wording(f"{key!r} is no key of {TITLES[section]}; it belongs to {home}")
    near = meant(key, known)
    if near in parent.keys:
        return Wording(f"unknown key {key!r}; {near!r} stands here already, so remove this one")
    if near:
        return Wording(f"unknown key {key!r}; did you mean {near!r}?", f"{near}:", near)
    return Wording(f"unknown key {key!r}; the keys of {TITLES[section]} are {', '.join(known)}")


def _nothing(path: Path, node: Node) -> Wording:
    key = path[-1]
    if node.text:
        return Wording(f"{node.text} without quotes is YAML's word for nothing; put it in quotes", written(node.text))
    where = f"after {key!r}" if isinstance(key, str) else "in this entry"
    return Wording(f"nothing is written {where}; give it a value, or remove it")


def _not_one_of(expected: str, node: Node) -> Wording:
    choices = expected.replace("'", "").replace(" or ", ", ").split(", ")
    said = f"{', '.join(choices[:-1])} or {choices[-1]}"
    near = meant(node.text, choices)
    return Wording(f"{_shown(node)} is not known here; write {said}", written(near) if near else "")


def _wrong_kind(kind: str, node: Node) -> Wording:
    message = f"this must be {_WANTED[kind]}, not {_shown(node)}"
    if kind == "bool_type":
        return Wording(message, _YES_AND_NO.get(node.text.lower(), ""))
    if kind == "string_type" and node.text:
        return Wording(f"{message}; put it in quotes", f'"{node.text}"')
    return Wording(message)


def _shown(node: Node) -> str:
    if isinstance(node.value, dict):
        return "a mapping"
    if isinstance(node.value, list):
        return "a list"
    return repr(node.value) if isinstance(node.value, str) else node.text
