"""What a plain scalar means: the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema).

PyYAML follows YAML 1.1, where ``on``, ``no`` and ``y`` are booleans, ``012`` is ten and ``12:30`` is 750.  Here they
are the texts that they look like, as they are for editors; a key that wants a boolean says so.
"""

from __future__ import annotations

import json
import re

from corsproxy.config.written import Scalar

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# 18 digits are enough for any size in bytes, and keep int() from being fed a million of them.
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{0,18}")

# A text that may stand bare, in a flow list too.
_BARE = re.compile(r"[A-Za-z0-9/.](?:[^\s#:,\[\]{}\"\\]|:(?=[^\s,\[\]{}]))*")


def resolve(text: str) -> Scalar:
    """The value of a plain scalar."""
    if text in NULLS:
        return None
    if text in BOOLEANS:
        return BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return text


def written(text: str) -> str:
    """A text as it is written in YAML: bare where that is safe, otherwise in double quotes (JSON's are YAML's)."""
    if _BARE.fullmatch(text) and isinstance(resolve(text), str):
        return text
    return json.dumps(text, ensure_ascii=False)
