"""One API and one policy, by flags or environment variables alone: the Config that they stand for.

Rules: every flag has a variable, so that a container needs no file; a flag is named like the key of the file that it
stands for; what is wrong is named by what the user wrote, the flag or the variable.  Whatever a flag cannot say is for
a file: this never grows into a second language.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from corsproxy.errors import InvalidConfig, Problem

if TYPE_CHECKING:
    from pydantic import ValidationError

    from corsproxy.config.load import Compiled
    from corsproxy.config.model import Config

POLICY: Final = "default"  # the policy's name in logs
_POLICY_KEYS: Final = f"policies.{POLICY}."


class Texts(click.types.StringParamType):
    """A text of a list: the flag is repeated, its variable holds them all, by commas or blanks."""

    def split_envvar_value(self, rv: str) -> list[str]:
        """The entries of the variable."""
        return re.findall(r"[^\s,]+", rv)


TEXTS: Final = Texts()


class Flag(NamedTuple):
    """A flag, its variable and the key of the file that it stands for."""

    name: str
    key: str
    metavar: str
    help: str
    is_list: bool = False

    @property
    def variable(self) -> str:
        """The environment variable: the key's own name in capitals."""
        return f"CORSPROXY_{self.key.rpartition('.')[2].upper()}"

    @property
    def parameter(self) -> str:
        """The name under which click passes the value."""
        return self.name.removeprefix("--").replace("-", "_")

    def option(self) -> Callable[[Any], Any]:
        """The decorator that adds it to a command."""
        kind: dict[str, Any] = {"type": TEXTS, "multiple": True} if self.is_list else {}
        if self.metavar:
            kind["metavar"] = self.metavar
        else:
            kind["is_flag"] = True
        return click.option(self.name, envvar=self.variable, show_envvar=True, help=self.help, **kind)


FLAGS: Final = (
    Flag("--upstream", "rules[0].upstream", "URL", "The one API, in place of a file; needs --allow-origin."),
    Flag(
        "--allow-origin",
        f"{_POLICY_KEYS}allow_origins",
        "ORIGIN",
        "An origin whose pages may read its answers; may be repeated.",
        is_list=True,
    ),
    Flag(
        "--allow-method",
        f"{_POLICY_KEYS}allow_methods",
        "METHOD",
        "A method that they may use, or *.  [default: GET, HEAD, POST]",
        is_list=True,
    ),
    Flag(
        "--allow-header",
        f"{_POLICY_KEYS}allow_headers",
        "NAME",
        "A request header that they may send, or *.",
        is_list=True,
    ),
    Flag(
        "--expose-header",
        f"{_POLICY_KEYS}expose_headers",
        "NAME",
        "A response header that they may read, or *.",
        is_list=True,
    ),
    Flag("--allow-credentials", f"{_POLICY_KEYS}allow_credentials", "", "Cookies and HTTP log-in may go along."),
    Flag("--max-age", f"{_POLICY_KEYS}max_age", "DURATION", "How long a browser may keep a preflight's answer."),
    Flag("--trusted-proxy", "trusted_proxies", "NETWORK", "A proxy in front that is believed.", is_list=True),
    Flag("--listen", "listen", "ADDR", "Where to listen.  [default: 127.0.0.1:8080]", is_list=True),
    Flag("--admin", "admin", "ADDR", "Where health is served, or off.  [default: off]"),
)
# Where to listen is no part of a table; the image says it for who has no file, and that may stand beside one.
PLACES: Final = ("listen", "admin")


def compile_one_api(values: Mapping[str, Any], said: Mapping[str, str]) -> Compiled:
    """Compile the flags that were given: parameter -> value; ``said`` is how each was written, flag or variable.

    Raises InvalidConfig with every problem, under the name of the flag or variable.
    """
    from pydantic import ValidationError  # noqa: PLC0415  # --help does not need it

    from corsproxy.config.load import compile_config  # noqa: PLC0415

    values, problems = dict(values), list[Problem]()
    while True:
        try:
            compiled = compile_config(one_api(values), pseudonym=f"corsproxy-{secrets.token_hex(4)}")
        except ValidationError as invalid:  # taken out, so that the rest can be judged in the same run
            for flag, problem in _mismatches(invalid):
                del values[flag.parameter]
                problems.append(problem)
            continue
        except InvalidConfig as invalid:
            problems += invalid.problems
        break
    if problems:
        names = {flag.key: said.get(flag.parameter, flag.name) for flag in FLAGS}
        raise InvalidConfig(tuple(dict.fromkeys(_in_words_of(names, problem) for problem in problems)))
    return compiled


def one_api(values: Mapping[str, Any]) -> Config:
    """The configuration that the flags stand for; a flag that was not given leaves its key out.

    Raises pydantic's ValidationError for a value that its key cannot have.
    """
    from corsproxy.config.model import Config  # noqa: PLC0415  # --help does not need it

    policy: dict[str, Any] = {}
    rule: dict[str, Any] = {"policy": POLICY}
    written: dict[str, Any] = {"policies": {POLICY: policy}, "rules": [rule]}
    sections = {"": written, "rules[0]": rule, _POLICY_KEYS.removesuffix("."): policy}
    for flag in FLAGS:
        if flag.parameter in values:
            section, _, key = flag.key.rpartition(".")
            value = values[flag.parameter]
            sections[section][key] = list(value) if flag.is_list else value
    return Config.model_validate(written)


def _mismatches(invalid: ValidationError) -> list[tuple[Flag, Problem]]:
    """What is no value of its key at all; all of them are texts, so that only their own kinds can object."""
    from corsproxy.config.findings import dotted  # noqa: PLC0415  # --help does not need it

    flags = {flag.key: flag for flag in FLAGS}
    errors = [(dotted(error["loc"]), error["ctx"]["error"]) for error in invalid.errors(include_url=False)]
    return [(flags[path], Problem("", 0, 0, f"{path}: {error}", error.correction)) for path, error in errors]


def _in_words_of(names: Mapping[str, str], problem: Problem) -> Problem:
    """A problem, named by what was given in place of the key that it became."""
    path, _, message = problem.message.partition(": ")
    name = next((name for key, name in names.items() if path.startswith(key)), path)
    return Problem(name, 0, 0, message, problem.correction)
