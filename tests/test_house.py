"""The house order, the purity of the engine and the size of its rooms, read from the syntax tree.

Nothing is imported, so a file is judged whether or not it runs, and imports inside functions count like any other.
Each check is also shown a planted violation: a guard that sees nothing would otherwise pass for ever.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple, TypeGuard

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "corsproxy"

GROUND = "errors"  # errors.py, and the package itself for its version: open to everybody
HOUSE = (GROUND, "cors", "http", "config", "proxy", "server", "tools", "conformance", "demo", "cli")
ROOF = "__main__"  # only starts the command line
PURE = ("cors", "http", "config")

# Whatever reaches outside the values that a pure function was given, or gives another answer the next time.
IMPURE_MODULES = frozenset(
    {
        *("aiohttp", "asyncio", "concurrent", "contextvars", "multiprocessing", "queue", "threading", "uvloop"),
        *("fcntl", "fileinput", "glob", "io", "linecache", "mmap", "pathlib", "shelve", "shutil", "sqlite3"),
        *("ftplib", "http", "httptools", "smtplib", "tempfile", "urllib", "xmlrpc"),
        *("select", "selectors", "socket", "socketserver", "ssl"),
        *("atexit", "ctypes", "os", "platform", "resource", "signal", "subprocess", "sys", "webbrowser"),
        *("builtins", "inspect", "pickle", "pkgutil", "runpy"),
        *("logging", "syslog", "tracemalloc", "warnings"),
        *("getpass", "locale", "random", "sched", "secrets", "time", "uuid"),
    }
)
STANDARD_LIBRARY = sys.stdlib_module_names
PURE_PARTS = ("http.HTTPStatus", "urllib.parse")  # of modules that are impure otherwise
IMPURE_CALLS = frozenset({"open", "print", "input", "breakpoint", "eval", "exec", "compile", "__import__"})
CLOCK_CALLS = frozenset({"now", "utcnow", "today"})  # of datetime and date, which are pure otherwise
LIBRARIES = frozenset({"idna", "publicsuffixlist", "pydantic", "pydantic_core", "re2", "typing_extensions", "yaml"})
# Large or optional: imported inside the function that needs it.
ONLY_WHEN_NEEDED = frozenset({"publicsuffixlist", "re2"})

MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 400
# Exceptions to the two limits: "file.py" or "file.py:function" -> (its own limit, the reason).
SIZE_EXCEPTIONS: dict[str, tuple[int, str]] = {}


class Import(NamedTuple):
    """One imported module, by its full name, and the line it stands in."""

    line: int
    module: str
    at_top: bool


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every file of the package, by its path in it, with its syntax tree."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text("utf-8"), str(path))


def imports(file: str, tree: ast.Module) -> Iterator[Import]:
    """All modules that a file imports by name, relative names resolved, wherever the statement or call stands."""
    at_top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, alias.name, id(node) in at_top)
        elif isinstance(node, ast.ImportFrom):
            base = absolute_base(file, node)
            for alias in node.names:  # "from corsproxy import cors" names a room by its last word
                yield Import(node.lineno, f"{base}.{alias.name}", id(node) in at_top)
        elif is_call_of(node, {"import_module"}) and isinstance(node.args[0], ast.Constant):
            yield Import(node.lineno, str(node.args[0].value), at_top=False)


def is_call_of(node: ast.AST, names: Container[str]) -> TypeGuard[ast.Call]:
    """Whether a node calls a function or method of one of these names."""
    if not isinstance(node, ast.Call):
        return False
    return getattr(node.func, "attr", getattr(node.func, "id", "")) in names


def absolute_base(file: str, node: ast.ImportFrom) -> str:
    """The module that a from-import starts at, as an absolute name."""
    if not node.level:
        return node.module or ""
    folder = ["corsproxy", *file.split("/")[:-1]]
    return ".".join([*folder[: len(folder) - node.level + 1], *filter(None, [node.module])])


def room_of(file: str) -> str:
    """The room of a file: its first folder, or the file itself at the root."""
    return file.partition("/")[0].removesuffix(".py")


def room_imported(module: str) -> str | None:
    """The room that an import leads to; None when it leads out of the house or only to the version."""
    parts = module.split(".")
    if parts[0] != "corsproxy" or len(parts) == 1 or parts[1] == "__version__":
        return None
    return parts[1]


def upward_arrows(file: str, tree: ast.Module) -> list[str]:
    """Imports that break the house order."""
    room = room_of(file)
    below = HOUSE if room == ROOF else () if room == "__init__" else HOUSE[: HOUSE.index(room) + 1]
    return [
        f"{file}:{found.line}: {room} may not import {target}"
        for found in imports(file, tree)
        if (target := room_imported(found.module)) is not None and target not in below
    ]


def impurities(file: str, tree: ast.Module) -> list[str]:
    """Whatever a pure file does that is not taking values and returning values."""
    named = [f"{file}:{found.line}: imports {found.module}" for found in imports(file, tree) if impure(found.module)]
    called = [f"{file}:{node.lineno}: {ast.unparse(node)}" for node in calls(tree) if impure_call(node)]
    return named + called


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """All calls of a file."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def impure_call(node: ast.Call) -> bool:
    """Whether a node calls a built-in that reaches outside, asks for the time, or imports what nobody can read here."""
    if is_call_of(node, {"import_module"}):
        return not isinstance(node.args[0], ast.Constant)
    if is_call_of(node, IMPURE_CALLS):
        return isinstance(node.func, ast.Name)  # "re.compile" is no "compile"
    return is_call_of(node, CLOCK_CALLS)


def impure(module: str) -> bool:
    """Whether a module is out of bounds for pure files: impure itself, or a library that nobody has agreed to."""
    top = module.partition(".")[0]
    if any(f"{module}.".startswith(f"{part}.") for part in PURE_PARTS):
        return False
    if top in IMPURE_MODULES:
        return True
    return top not in STANDARD_LIBRARY and top not in LIBRARIES and top != "corsproxy"


def early_imports(file: str, tree: ast.Module) -> list[str]:
    """Imports at the top of a file that every start would pay for, or that fail without an extra."""
    return [
        f"{file}:{found.line}: imports {found.module} at the top"
        for found in imports(file, tree)
        if found.at_top and found.module.split(".")[0] in ONLY_WHEN_NEEDED
    ]


def oversized(file: str, tree: ast.Module, lines: int) -> list[str]:
    """The file and its functions that are longer than their limit."""
    sizes = [(file, lines, MAX_FILE_LINES), *((name, size, MAX_FUNCTION_LINES) for name, size in functions(file, tree))]
    return [
        f"{name}: {size} lines, the limit is {limit}"
        for name, size, usual in sizes
        if size > (limit := SIZE_EXCEPTIONS.get(name, (usual, ""))[0])
    ]


def functions(file: str, tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Each function of a file and its lines, docstring included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{file}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def found_in_package(check, folders=None) -> list[str]:
    """What a check finds in all files, or in those of some rooms."""
    return [
        found for file, tree in modules() if folders is None or room_of(file) in folders for found in check(file, tree)
    ]


def test_every_room_has_its_place_in_the_house():
    """A new folder has to be given its floor in HOUSE before anything else."""
    rooms = {room_of(file) for file, _ in modules()}
    assert rooms - set(HOUSE) - {ROOF, "__init__"} == set()


def test_imports_only_lead_downwards():
    assert found_in_package(upward_arrows) == []


def test_pure_rooms_take_values_and_return_values():
    assert found_in_package(impurities, PURE) == []


def test_the_ground_floor_imports_only_what_describes_values():
    allowed = {"__future__", "collections", "dataclasses", "enum", "typing"}
    found = {
        item.module.split(".")[0]
        for file, tree in modules()
        if room_of(file) in {GROUND, "__init__"}
        for item in imports(file, tree)
    }
    assert found - allowed == set()


def test_large_and_optional_libraries_are_imported_where_they_are_needed():
    assert found_in_package(early_imports) == []


def test_rooms_and_functions_stay_small():
    lines = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in PACKAGE.rglob("*.py")
    }
    assert found_in_package(lambda file, tree: oversized(file, tree, lines[file])) == []


def test_size_exceptions_are_still_needed():
    """An exception that nothing uses any more would let the next one grow unseen."""
    sizes = {}
    for file, tree in modules():
        sizes[file] = len((PACKAGE / file).read_text("utf-8").splitlines())
        sizes.update(functions(file, tree))
    for name, (limit, reason) in SIZE_EXCEPTIONS.items():
        usual = MAX_FUNCTION_LINES if ":" in name else MAX_FILE_LINES
        assert reason
        assert usual < sizes.get(name, 0) <= limit, name


@pytest.mark.parametrize(
    ("file", "source", "room"),
    [
        ("cors/policy.py", "from corsproxy.config.table import Rule", "config"),
        ("cors/policy.py", "from corsproxy import config", "config"),
        ("cors/policy.py", "from ..http import fields", "http"),
        ("cors/policy.py", "from .. import http", "http"),
        ("http/fields.py", "def f():\n    import corsproxy.proxy.plan", "proxy"),
        ("proxy/plan.py", "if TYPE_CHECKING:\n    from corsproxy.server.process import Server", "server"),
        ("errors.py", "from corsproxy.cors.origin import Origin", "cors"),
        ("__init__.py", "from corsproxy.errors import InvalidOrigin", "errors"),
        ("demo/site.py", "import corsproxy.cli.main", "cli"),
        ("cli/main.py", "import corsproxy.attic", "attic"),
        ("proxy/plan.py", "importlib.import_module('corsproxy.server.process')", "server"),
    ],
)
def test_a_planted_upward_arrow_is_noticed(file, source, room):
    assert [found.rsplit(" ", 1)[1] for found in upward_arrows(file, ast.parse(source))] == [room]


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("cors/policy.py", "from corsproxy.cors.origin import Origin"),
        ("cors/policy.py", "from . import origin"),
        ("http/fields.py", "from corsproxy.cors.decision import Decision"),
        ("server/process.py", "from corsproxy.errors import InvalidConfig\nfrom corsproxy import __version__"),
        ("__main__.py", "from corsproxy.cli.main import main"),
        ("cors/policy.py", "import corsproxy_elsewhere.cli"),
    ],
)
def test_a_downward_arrow_is_left_alone(file, source):
    assert upward_arrows(file, ast.parse(source)) == []


@pytest.mark.parametrize(
    "source",
    [
        *(f"import {module}" for module in sorted(IMPURE_MODULES)),
        "from datetime import datetime\ndatetime.now()",
        "def f():\n    from os import path",
        "import os.path",
        "import urllib.request",
        "from urllib import request",
        "import urllib.parser",
        "import requests",
        "try:\n    import aiohttp.web\nexcept ImportError:\n    pass",
        "open('table.yaml')",
        "__import__('socket')",
        "import importlib\nimportlib.import_module('socket')",
        "from importlib import import_module\nimport_module(name)",
    ],
)
def test_a_planted_impurity_is_noticed(source):
    assert len(impurities("cors/policy.py", ast.parse(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import re",
        "from urllib.parse import quote",
        "from urllib import parse",
        "import yaml",
        "import ipaddress",
        "re.compile('a')",
    ],
)
def test_a_pure_import_is_left_alone(source):
    assert impurities("cors/policy.py", ast.parse(source)) == []


def test_a_planted_early_import_is_noticed():
    source = "import re2\nfrom publicsuffixlist import PublicSuffixList\ndef f():\n    import re2"
    assert len(early_imports("cors/regex.py", ast.parse(source))) == 2


def test_a_planted_giant_is_noticed():
    body = "def giant():\n" + "    pass\n" * MAX_FUNCTION_LINES
    found = oversized("cors/giant.py", ast.parse(body), MAX_FILE_LINES + 1)
    assert found == ["cors/giant.py: 401 lines, the limit is 400", "cors/giant.py:giant: 61 lines, the limit is 60"]
