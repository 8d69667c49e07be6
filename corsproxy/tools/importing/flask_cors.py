"""Flask-CORS: ``CORS(app, ...)`` and ``@cross_origin(...)`` in a module's source.

Rules: the source is parsed and never run; a value is read where it is a literal, or a name that the module binds once
to a literal; what an option is worth where it is left out is Flask-CORS's own default
(https://flask-cors.readthedocs.io/en/latest/api.html).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Final

from corsproxy.tools.importing.imported import (
    ANY,
    NO_POLICY,
    Imported,
    Policy,
    Unreadable,
    Value,
    policy_of,
    whole_origin,
)

_METHODS: Final = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")
# flask_cors.core.probably_regex: a text with one of these is an expression there.
_REGEX_CHARACTERS: Final = frozenset("*\\]?$^[]()")
# What has no counterpart, because the proxy always does the right one of the two; docs/cors.md has the reasons.
_SETTLED: Final = frozenset(
    {"always_send", "automatic_options", "intercept_exceptions", "send_wildcard", "vary_header"}
)
_KNOWN: Final = frozenset(
    {
        "allow_headers",
        "allow_private_network",
        "expose_headers",
        "max_age",
        "methods",
        "origins",
        "resources",
        "supports_credentials",
    }
)
_BELOW: Final = re.compile(r"(/[\w~/-]*?)/?\.?\*")  # r"/api/*", r"/api/.*", r"/*"
_ROUTES: Final = frozenset({"route", "get", "post", "put", "patch", "delete"})
_SETTING: Final = "CORS_"
_DEFAULT_RESOURCES: Final = r"/*"

Options = dict[str, Value]


def read_flask_cors(source: str, upstream: str) -> Imported:
    """The rules of a Flask application's module; ``upstream`` is where that application answers.

    Raises Unreadable where the source is no Python.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise Unreadable(f"this is no Python: {error}") from None
    module = _Module(tree, upstream)
    module.read()
    module.imported.leave_the_rest(upstream)
    return module.imported


class _Module:
    def __init__(self, tree: ast.Module, upstream: str) -> None:
        self.tree = tree
        self.upstream = upstream
        self.imported = Imported()
        self.names = _literals_by_name(tree)
        self.extensions, self.decorators = _flask_cors_names(tree)
        self.settings: Options = {}

    def read(self) -> None:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign) and (setting := _setting(node)):
                with self.imported.listed(node.lineno):
                    self.take_setting(setting, node.value)
        for call in self.calls_of_extension():
            with self.imported.listed(call.lineno):
                self.extension(call)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in node.decorator_list:
                    if _dotted(_called(decorator)) in self.decorators:
                        with self.imported.listed(decorator.lineno):
                            self.view(node, decorator)

    def calls_of_extension(self) -> Iterator[ast.Call]:
        """``CORS(app, ...)``, and ``cors.init_app(app, ...)`` for a ``cors = CORS()``."""
        extensions = set[str]()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign) and _dotted(_called(node.value)) in self.extensions:
                extensions.update(target.id for target in node.targets if isinstance(target, ast.Name))
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Call):
                continue
            name = _dotted(node.func)
            if (name in self.extensions and (node.args or node.keywords)) or (
                name.endswith(".init_app") and name.removesuffix(".init_app") in extensions
            ):
                yield node

    def take_setting(self, name: str, node: ast.expr) -> None:
        self.settings[name] = self.literal(node, f"app.config[{_SETTING + name.upper()!r}]")

    def extension(self, call: ast.Call) -> None:
        options = {**self.settings, **self.keywords(call)}
        resources = options.pop("resources", _DEFAULT_RESOURCES)
        if isinstance(resources, str):
            resources = [resources]
        if not isinstance(resources, Mapping):
            resources = {path: {} for path in resources}
        for path, own in resources.items():
            with self.imported.listed(call.lineno):
                self.resource(call.lineno, path, {**options, **own})

    def resource(self, line: int, path: str, options: Options) -> None:
        if below := _BELOW.fullmatch(path):
            self.add(line, below[1].rstrip("/") or "/", self.policy_or_none(line, options))
        elif _REGEX_CHARACTERS.isdisjoint(path):
            self.exact(line, path, self.policy_or_none(line, options))
        else:
            raise Unreadable(f"the resource {path!r} is an expression; write the rule of each path that it means")

    def view(self, function: ast.FunctionDef | ast.AsyncFunctionDef, decorator: ast.expr) -> None:
        options = self.keywords(decorator) if isinstance(decorator, ast.Call) else {}
        policy = self.policy({**self.settings, **options})
        routes = [one for one in function.decorator_list if _is_route(one)]
        if not routes:
            raise Unreadable(f"@cross_origin stands on {function.name}(), whose path is not written above it")
        for route in routes:
            path = self.literal(route.args[0], "the route") if isinstance(route, ast.Call) and route.args else None
            if not isinstance(path, str) or "<" in path:
                raise Unreadable(f"the route {path!r} of {function.name}() has a variable part, which a rule has not")
            self.exact(decorator.lineno, path, policy)

    def exact(self, line: int, path: str, policy: Policy | str) -> None:
        self.add(line, path.rstrip("/") or "/", policy)
        self.imported.tell(line, f"wider: the rule takes every path below {path} too, not only {path} itself")

    def add(self, line: int, path: str, policy: Policy | str) -> None:
        self.imported.rules.append((line, {"path": path, "upstream": self.upstream, "policy": policy}))

    def policy_or_none(self, line: int, options: Options) -> Policy | str:
        """The policy, or none for one that cannot be read."""
        try:
            return self.policy(options)
        except Unreadable as reason:
            self.imported.tell(line, str(reason))
            return NO_POLICY

    def policy(self, options: Options) -> Policy:
        for name in options.keys() - _KNOWN - _SETTLED:
            raise Unreadable(f"{name} is no option of Flask-CORS that is known here")
        origins, regexes = _origins(options.get("origins", ANY))
        headers = _texts(options.get("allow_headers", ANY), "allow_headers")
        if any(name != ANY and not _REGEX_CHARACTERS.isdisjoint(name) for name in headers):
            raise Unreadable("allow_headers has an expression; write the names that are meant")
        age = options.get("max_age")
        if age is not None and not isinstance(age, int | str):
            raise Unreadable("max_age is no number of seconds")
        return policy_of(
            origins,
            regexes,
            {
                "allow_methods": _texts(options.get("methods") or _METHODS, "methods"),
                "allow_headers": headers,
                "expose_headers": _texts(options.get("expose_headers") or (), "expose_headers"),
                "allow_credentials": bool(options.get("supports_credentials")),
                "max_age": None if age is None else int(age),
                "allow_private_network": bool(options.get("allow_private_network")),
            },
        )

    def keywords(self, call: ast.Call) -> Options:
        found: Options = {}
        for keyword in call.keywords:
            if keyword.arg is None:
                raise Unreadable("the options are unpacked from a mapping (**), which only the program knows")
            found[keyword.arg] = self.literal(keyword.value, keyword.arg)
        return found

    def literal(self, node: ast.expr, what: str) -> Value:
        """The value of an expression of literals, and of names that stand for literals; raises Unreadable."""
        if isinstance(node, ast.Name) and node.id in self.names:
            return self.literal(self.names[node.id], what)
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return [self.literal(one, what) for one in node.elts]
        if isinstance(node, ast.Dict):
            if None in node.keys:
                raise Unreadable(f"{what} is unpacked from a mapping (**), which only the program knows")
            keys = [self.literal(key, what) for key in node.keys if key]
            return dict(zip(keys, (self.literal(value, what) for value in node.values), strict=True))
        if isinstance(node, ast.Constant):
            return node.value
        raise Unreadable(f"{what} is not a literal but {ast.unparse(node)}, which only the program knows")


def _origins(told: Value) -> tuple[list[str], list[str]]:
    """Origins and expressions.  There, re.match holds an expression at its start only."""
    origins, regexes = list[str](), list[str]()
    for origin in _texts(told, "origins"):
        if origin == ANY or _REGEX_CHARACTERS.isdisjoint(origin):
            origins.append(origin)
        else:
            regexes.append(whole_origin("^" + origin.removeprefix("^")))
    return origins, regexes


def _texts(told: Value, name: str) -> list[str]:
    """A list of texts.  One text may name several methods or headers; of origins it is one."""
    texts = ([told] if name == "origins" else re.split(r"\s*,\s*", told)) if isinstance(told, str) else told
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise Unreadable(f"{name} is neither a text nor a list of texts")
    return list(texts)


def _literals_by_name(tree: ast.Module) -> dict[str, ast.expr]:
    """What the module binds once, at its top, and neither binds nor changes anywhere else."""
    bound: dict[str, list[ast.expr]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            bound.setdefault(node.targets[0].id, []).append(node.value)
    stored = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    touched = {
        node.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.value, ast.Name)
    }
    return {name: values[0] for name, values in bound.items() if stored.count(name) == 1 and name not in touched}


def _flask_cors_names(tree: ast.Module) -> tuple[set[str], set[str]]:
    """Under which names this module has Flask-CORS's class and its decorator."""
    names: dict[str, set[str]] = {"CORS": set(), "cross_origin": set()}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "flask_cors":
            for alias in node.names:
                names.setdefault(alias.name, set()).add(alias.asname or alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "flask_cors":
                    for name in ("CORS", "cross_origin"):
                        names[name].add(f"{alias.asname or alias.name}.{name}")
    return names["CORS"], names["cross_origin"]


def _setting(node: ast.Assign) -> str:
    """The option that ``app.config["CORS_..."] = ...`` sets, or ""."""
    target = node.targets[0]
    if not isinstance(target, ast.Subscript) or not _dotted(target.value).endswith(".config"):
        return ""
    key = target.slice.value if isinstance(target.slice, ast.Constant) else None
    return key.removeprefix(_SETTING).lower() if isinstance(key, str) and key.startswith(_SETTING) else ""


def _is_route(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and _dotted(decorator.func).rpartition(".")[2] in _ROUTES


def _called(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _dotted(node: ast.expr) -> str:
    """``a.b.c`` as it is written; "" for anything that is no chain of names."""
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return node.id if isinstance(node, ast.Name) else ""
