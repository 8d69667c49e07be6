"""The vectors, read from the files of this package.

A file is a topic.  An entry with ``cases`` is a family: it stands for a vector per case, each with its own id, its own
values for the names in braces, and whatever else the case says in place of what the family says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml
from pydantic import ValidationError

from corsproxy.conformance.braces import LONG, NAME, filled
from corsproxy.conformance.model import Setting, Vector
from corsproxy.errors import CorsproxyError

SETTINGS: Final = "settings.yaml"
# Filled in where a vector is run.
RUN_TIME_NAMES: Final = frozenset({"host", "path", "root", "upstream", "id"})
_WORDS = ("title", "protects", "source")
_OWN_KEYS = frozenset({"title", "source", "protects", "setting", "request", "upstream", "expect", "exchanges"})


class InvalidVectors(CorsproxyError):
    """A file of vectors says something that is no vector; every problem, a line each."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A file of vectors."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Suite:
    """All vectors, in the order of their files, and the settings that they need."""

    topics: tuple[Topic, ...]
    vectors: tuple[Vector, ...]
    settings: Mapping[str, Setting]


@cache
def bundled() -> Suite:
    """The vectors of this package."""
    folder = files("corsproxy.conformance") / "vectors"
    texts = {item.name: item.read_text("utf-8") for item in folder.iterdir() if item.name.endswith(".yaml")}
    return read(texts)


def read(texts: Mapping[str, str]) -> Suite:
    """The vectors of some files, by file name; raises InvalidVectors with everything that is wrong."""
    problems: list[str] = []
    settings: dict[str, Setting] = {}
    for name, raw in _document(texts[SETTINGS]).items():
        try:
            settings[name] = Setting.model_validate(raw)
        except ValidationError as invalid:
            problems += _told(f"{SETTINGS}: {name}", invalid)
    topics, vectors = [], []
    documents = {file: _document(text) for file, text in texts.items() if file != SETTINGS}
    for file, document in sorted(documents.items(), key=lambda item: item[1].get("order", 0)):
        topics.append(Topic(file.removesuffix(".yaml"), document["title"]))
        for raw in _entries(document, topics[-1].name):
            try:
                vectors.append(Vector.model_validate(raw))
            except ValidationError as invalid:
                problems += _told(f"{file}: {raw.get('id')}", invalid)
    problems += _inconsistencies(vectors, settings)
    if problems:
        raise InvalidVectors("\n".join(problems))
    return Suite(tuple(topics), tuple(vectors), settings)


def _document(text: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # both are safe
    return document


def _entries(document: dict[str, Any], topic: str) -> Iterator[dict[str, Any]]:
    """Every vector of a document, as it is validated."""
    defaults = document.get("defaults", {})
    for entry in document["vectors"]:
        family = {**defaults, **entry, "values": {**defaults.get("values", {}), **entry.get("values", {})}}
        cases = family.pop("cases", None)
        if cases is None:
            yield _vector(family, topic)
            continue
        for name, case in cases.items():
            own = {key: value for key, value in case.items() if key in _OWN_KEYS}
            values = {key: value for key, value in case.items() if key not in _OWN_KEYS}
            changed = {"id": f"{family['id']}-{name}", "values": {**family["values"], **values}}
            yield _vector({**family, **own, **changed}, topic)


def _vector(entry: dict[str, Any], topic: str) -> dict[str, Any]:
    """A vector of one exchange may say it without the list."""
    exchange = {key: entry.pop(key) for key in ("request", "upstream", "expect") if key in entry}
    raw = {"exchanges": [exchange], **entry, "topic": topic}
    raw["exchanges"] = [{**exchange, **own} for own in raw["exchanges"]]
    values = raw["values"] = {name: str(text) for name, text in raw["values"].items()}
    raw["exchanges"] = [{**own, "expect": _filled_through(own["expect"], values)} for own in raw["exchanges"]]
    said = {**values, "id": raw["id"]}
    words = {key: filled(filled(raw[key], said), said) for key in _WORDS if key in raw}
    return raw | words


def _filled_through(raw: Any, values: Mapping[str, str]) -> Any:  # noqa: ANN401  # a tree of YAML
    """The texts of a tree filled in, the keys too."""
    if isinstance(raw, dict):
        return {_filled_through(key, values): _filled_through(value, values) for key, value in raw.items()}
    if isinstance(raw, list):
        return [_filled_through(item, values) for item in raw]
    return filled(raw, values) if isinstance(raw, str) else raw


def _told(where: str, invalid: ValidationError) -> list[str]:
    return [f"{where}: {'.'.join(map(str, error['loc']))}: {error['msg']}" for error in invalid.errors()]


def _inconsistencies(vectors: list[Vector], settings: Mapping[str, Setting]) -> Iterator[str]:
    for vector_id, count in Counter(vector.id for vector in vectors).items():
        if count > 1:
            yield f"{vector_id}: {count} vectors have this id"
    for vector in vectors:
        if vector.setting not in settings:
            yield f"{vector.id}: there is no setting {vector.setting!r}"
        text = "".join(exchange.model_dump_json() for exchange in vector.exchanges)
        known = RUN_TIME_NAMES | LONG.keys() | vector.values.keys()
        for name in sorted(set(NAME.findall(text)) - known):
            yield f"{vector.id}: nothing stands for {{{name}}}"
    for name in sorted(settings.keys() - {vector.setting for vector in vectors}):
        yield f"{SETTINGS}: no vector needs {name!r}"
