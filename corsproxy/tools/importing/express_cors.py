"""Express's ``cors``: ``app.use(cors({...}))``, with or without a path, and on single routes.

Rules: the program is parsed and never run; what an option is worth where it is left out is the package's own default
(https://github.com/expressjs/cors#configuration-options); where two of them run for one path, its answers are left to
the application.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from corsproxy.tools.importing.imported import (
    ANY,
    NO_POLICY,
    Imported,
    Policy,
    Row,
    Unreadable,
    Value,
    literal_star,
    policy_of,
    whole_origin,
)
from corsproxy.tools.importing.javascript_tree import Expression, Program, line_of, values, words

if TYPE_CHECKING:
    from tree_sitter import Node

_METHODS: Final = ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE")
_KNOWN: Final = frozenset(
    {
        "allowedHeaders",
        "credentials",
        "exposedHeaders",
        "headers",  # lib/index.js takes it for allowedHeaders
        "maxAge",
        "methods",
        "optionsSuccessStatus",
        "origin",
        "preflightContinue",
    }
)
_ROUTES: Final = frozenset({"all", "delete", "get", "head", "patch", "post", "put"})
_EVERYWHERE: Final = frozenset({"*", "/*", "(.*)", "/{*splat}", "/*splat", "/"})

Options = dict[str, Value]


class _Use(NamedTuple):
    """``owner.method([path,] cors(options))``."""

    line: int
    owner: str
    method: str
    path: Node | None  # the first argument
    options: Node | None


def read_express_cors(source: str, upstream: str) -> Imported:
    """The rules of an Express application's program; ``upstream`` is where that application answers.

    Raises Unreadable where the source is no JavaScript.
    """
    reader = _Application(Program(source), upstream)
    for use in reader.uses():
        with reader.imported.listed(use.line):
            reader.read(use)
    reader.imported.leave_the_rest(upstream)
    return reader.imported


class _Application:
    def __init__(self, program: Program, upstream: str) -> None:
        self.program = program
        self.upstream = upstream
        self.imported = Imported()
        self.cors = set(self._named_by_module("cors"))
        express = set(self._named_by_module("express"))
        self.apps = {
            name
            for name, node in self._declarations()
            if node.type == "call_expression" and words(node.children[0]) in express
        }

    def _declarations(self) -> Iterator[tuple[str, Node]]:
        for node in self.program.nodes("variable_declarator"):
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if name and value:
                yield words(name), value

    def _named_by_module(self, module: str) -> Iterator[str]:
        """The names of ``const NAME = require("module")`` and ``import NAME from "module"``."""
        for name, value in self._declarations():
            if words(value).replace("'", '"') == f'require("{module}")':
                yield name
        for node in self.program.nodes("import_statement"):
            source = node.child_by_field_name("source")
            if source and words(source)[1:-1] == module:
                clauses = [child for child in node.named_children if child.type == "import_clause"]
                yield from (
                    words(child) for clause in clauses for child in values(clause) if child.type == "identifier"
                )

    def uses(self) -> Iterator[_Use]:
        """Where the package is used, in the order in which Express asks it."""
        for call in self.program.nodes("call_expression"):
            callee, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
            if not callee or not arguments or callee.type != "member_expression":
                continue
            owner, method = callee.child_by_field_name("object"), callee.child_by_field_name("property")
            for position, argument in enumerate(values(arguments)):
                middleware = self.middleware(argument)
                if middleware and owner and method:
                    told = values(middleware)
                    path = values(arguments)[0] if position else None
                    yield _Use(line_of(call), words(owner), words(method), path, told[0] if told else None)

    def middleware(self, argument: Node) -> Node | None:
        """The arguments of ``cors(...)``, also behind a name."""
        node = self.program.resolve(argument)
        callee = node.child_by_field_name("function")
        if node.type == "call_expression" and callee and words(callee) in self.cors:
            return node.child_by_field_name("arguments")
        return None

    def read(self, use: _Use) -> None:
        path = self.path(use)
        policy = self.policy(self.options(use.options))
        earlier = [row for _, row in self.imported.rules if _covers(row["path"], path) or _covers(path, row["path"])]
        if policy is None or any(row["policy"] == policy and _covers(row["path"], path) for row in earlier):
            return  # off, or said already, as app.options("*", cors()) does
        if use.method == "options":
            raise Unreadable(f"preflights of {path} have other options than its requests; one policy judges both here")
        if earlier:
            self.imported.tell(use.line, f"another cors() runs for {path} as well; what both answer is left to them")
        elif use.method in _ROUTES:
            self.imported.tell(
                use.line, f"wider: the rule takes every method, and every path below {path} too, not only this route"
            )
        self.add(use.line, path, policy, earlier)

    def add(self, line: int, path: str, policy: Policy, earlier: list[Row]) -> None:
        """A rule; where two of them run, the answers are the application's own."""
        for row in earlier:
            if _covers(path, row["path"]):
                row["policy"] = NO_POLICY
        if all(row["path"] != path for row in earlier):
            shared = any(_covers(row["path"], path) for row in earlier)
            row = {"path": path, "upstream": self.upstream, "policy": NO_POLICY if shared else policy}
            self.imported.rules.append((line, row))

    def path(self, use: _Use) -> str:
        if use.owner not in self.apps:
            raise Unreadable(f"cors() is used on {use.owner}, and where that is mounted is not read; write its rule")
        if use.method != "use" and use.method not in _ROUTES | {"options"}:
            raise Unreadable(f"cors() is given to {use.owner}.{use.method}(), which is not read")
        if use.path is None:
            return "/"
        first = self.program.resolve(use.path)
        if use.method == "use" and first.type in {
            "identifier",
            "call_expression",
            "arrow_function",
            "function_expression",
        }:
            return "/"  # another middleware stands before it
        path = self.program.literal(use.path, "the path")
        if path in _EVERYWHERE:
            return "/"
        if not isinstance(path, str) or not path.startswith("/") or not set(path).isdisjoint("*:?+(){}[]"):
            raise Unreadable(f"the path {words(use.path)} is a pattern; write the rule of each path that it means")
        return path.rstrip("/")

    def options(self, node: Node | None) -> Options:
        if node is None:
            return {}
        told = self.program.literal(node, "the argument of cors()")
        if not isinstance(told, dict):
            raise Unreadable(f"the argument of cors() is {words(node)}, and not its options")
        return {name: self.program.literal(value, name) for name, value in told.items()}

    def policy(self, options: Options) -> Policy | None:
        """The policy of some options; None where they switch CORS off."""
        if unknown := options.keys() - _KNOWN:
            raise Unreadable(f"{min(unknown)} is no option of cors that is known here")
        if options.get("preflightContinue"):
            raise Unreadable("preflightContinue hands preflights to the application; that is policy: none in a rule")
        if options.get("origin") is False:
            return None
        origins, regexes = _origins(options)
        headers = options.get("allowedHeaders", options.get("headers"))
        return policy_of(
            origins,
            regexes,
            {
                "allow_methods": literal_star(
                    _texts(options.get("methods") or list(_METHODS), "methods"), options.get("credentials") is True
                ),
                "allow_headers": _texts([ANY] if headers is None else headers, "allowedHeaders"),
                "expose_headers": _texts(options.get("exposedHeaders") or [], "exposedHeaders"),
                "allow_credentials": options.get("credentials") is True,
                "max_age": _seconds(options.get("maxAge")),
                "preflight_status": options.get("optionsSuccessStatus"),
            },
        )


def _origins(options: Options) -> tuple[list[str], list[str]]:
    """Origins and expressions.  ``true`` echoes whoever asks, which without credentials is any origin."""
    told = options.get("origin", ANY)
    if told is True and options.get("credentials") is True:
        raise Unreadable("origin: true lets every page act as your users, since credentials is true; name the origins")
    entries = [ANY] if told is True or told is None else told if isinstance(told, list) else [told]
    origins, regexes = list[str](), list[str]()
    for entry in entries:
        if isinstance(entry, Expression):
            if entry.flags not in {"", "i"}:  # origins have no capitals
                raise Unreadable(f"the expression's flags {entry.flags!r} are not read")
            regexes.append(whole_origin(entry.pattern))
        elif isinstance(entry, str):
            origins.append(entry)
        else:
            raise Unreadable(f"origin has {entry!r} in it, which is no origin")
    return origins, regexes


def _texts(told: Value, name: str) -> list[str]:
    texts = [text.strip() for text in told.split(",")] if isinstance(told, str) else told
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Unreadable(f"{name} is neither a text nor a list of texts")
    return texts


def _seconds(told: Value) -> int | None:
    if told is None or isinstance(told, int):
        return told
    if isinstance(told, str) and told.isdecimal():
        return int(told)
    raise Unreadable("maxAge is no number of seconds")


def _covers(outer: str, inner: str) -> bool:
    """Whether a rule's path takes another path; in whole segments, as Express mounts."""
    return outer in {"/", inner} or inner.startswith(outer + "/")
