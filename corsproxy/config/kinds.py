"""The kinds of values that keys have: durations, sizes, addresses, lists that may be one text.

Those with several spellings have a name in the JSON Schema.  Its patterns let references to the environment pass: what
those bring is judged when the configuration is loaded.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema
from typing_extensions import TypeAliasType

from corsproxy.config.quantities import parse_duration, parse_size
from corsproxy.config.written import Unusable

_MIN_HEAD: Final = 1024
_MAX_HEAD: Final = 2**24


def _limit(value: object) -> float:
    """A duration that is an end to something: it can be neither lifted nor zero."""
    if value == "none":
        raise Unusable("this limit cannot be lifted; write a duration", "1h")
    seconds = parse_duration(value)
    if seconds == 0:
        raise Unusable("this limit cannot be zero; write a duration", "1s")
    return seconds


def _limit_or_none(value: object) -> float | None:
    return None if _is_none(value) else _limit(value)


def _max_age(value: object) -> int | None:
    if _is_none(value):
        return None
    seconds = parse_duration(value)
    if seconds != int(seconds):
        raise Unusable(f"{value!r} is no whole number of seconds; a browser is told no less", "1s")
    return int(seconds)


def _head_size(value: object) -> int:
    size = parse_size(value)
    if not _MIN_HEAD <= size <= _MAX_HEAD:
        raise Unusable(f"{value!r} is not between 1KiB and 16MiB; most clients need less than 16KiB", "64KiB")
    return size


def _size_or_none(value: object) -> int | None:
    return None if _is_none(value) else parse_size(value)


def _count_or_none(value: object) -> object:
    if _is_none(value):
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Unusable(f"{value!r} is no number of connections; write 1 or more, or none: no limit")
    return value


def _is_none(value: object) -> bool:
    # None itself comes from Python; a YAML null arrives as NOTHING and is refused.
    return value is None or value == "none"


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def listed(value: object) -> object:
    """One value as a list of it."""
    return value if isinstance(value, list) else [value]


def _address(value: object) -> object:
    # A port alone is a number in YAML; whoever reads addresses says what it lacks.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _address_or_off(value: object) -> object:
    if value is False:
        raise Unusable("false is no address; write host:port, unix:/path or off", "off")
    return _address(value)


def _schema(description: str, *kinds: dict[str, object]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": list(kinds), "description": description})


_SECONDS = {"type": "number", "minimum": 0}
_BYTES = {"type": "integer", "minimum": 0}
_DURATION = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?(ms|s|m|h|d)?$|\$\{"}
_SIZE = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?(B|KB|MB|GB|KiB|MiB|GiB)?$|\$\{"}
_NONE = {"const": "none"}
_REFERENCE = {"type": "string", "pattern": r"\$\{"}
_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": {"type": "string"}}

Address = Annotated[str, BeforeValidator(_address)]
AddressOrOff = Annotated[str, BeforeValidator(_address_or_off)]
Duration = TypeAliasType(
    "Duration",
    Annotated[float, BeforeValidator(_limit), _schema("90s, 10m, 2h, or a number of seconds.", _DURATION, _SECONDS)],
)
DurationOrNone = TypeAliasType(
    "DurationOrNone",
    Annotated[
        float | None,
        BeforeValidator(_limit_or_none),
        _schema("90s, 10m, 2h, a number of seconds, or none: no limit.", _DURATION, _SECONDS, _NONE),
    ],
)
MaxAge = TypeAliasType(
    "MaxAge",
    Annotated[
        int | None,
        BeforeValidator(_max_age),
        _schema("90s, 10m, 2h, a number of seconds, or none: not sent.", _DURATION, _SECONDS, _NONE),
    ],
)
CountOrNone = TypeAliasType(
    "CountOrNone",
    Annotated[
        int | None,
        BeforeValidator(_count_or_none),
        _schema("A whole number from 1, or none: no limit.", {"type": "integer", "minimum": 1}, _REFERENCE, _NONE),
    ],
)
HeadSize = TypeAliasType(
    "HeadSize",
    Annotated[int, BeforeValidator(_head_size), _schema("64KiB, 1MiB, or a number of bytes.", _SIZE, _BYTES)],
)
SizeOrNone = TypeAliasType(
    "SizeOrNone",
    Annotated[
        int | None,
        BeforeValidator(_size_or_none),
        _schema("64KiB, 10MiB, a number of bytes, or none: no limit.", _SIZE, _BYTES, _NONE),
    ],
)
Texts = TypeAliasType(
    "Texts", Annotated[list[str], BeforeValidator(_one_or_many), _schema("A text, or a list of them.", _TEXT, _TEXTS)]
)
