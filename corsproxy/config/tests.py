"""Tests of the table, each as the request of a page.

Rules: only what no browser would ever send is refused here; whether a test holds is for whoever asks the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Final, TypeVar

from corsproxy.config.document import read_document
from corsproxy.config.findings import Findings, in_order
from corsproxy.config.hosts import parse_literal_host
from corsproxy.config.paths import parse_asked_path
from corsproxy.config.tests_model import Expected, TableTestConfig, TestsFileConfig
from corsproxy.config.validate import validate
from corsproxy.config.written import Path, Place, Unusable
from corsproxy.cors.fetch import Credentials, Request, is_token, script_headers
from corsproxy.cors.names import FORBIDDEN_METHODS, request_header_problems
from corsproxy.cors.origin import parse_origin
from corsproxy.errors import InvalidConfig, InvalidOrigin

# A host that no rule names (https://www.rfc-editor.org/rfc/rfc6761#section-6.4).  The scheme is the one that no browser
# takes for mixed content.
ANY_HOST: Final = "proxy.invalid"
_SCHEME: Final = "https://"
_MOST: Final = 10_000  # tests of one row
_SMALLEST: Final = "tests: [{origin: https://app.example.com}]"
_HEADER_VALUE: Final = re.compile(r"[\t -~]*")

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class TableTest:
    """One request of a page, what should become of it, and where that is written."""

    file: str
    place: Place
    request: Request
    expected: Expected

    @property
    def asked(self) -> str:
        """What the page asks for: a path, and the host before it where one was written."""
        return self.request.url.removeprefix(_SCHEME).removeprefix(ANY_HOST)


def load_tests(text: str, file: str, environment: Mapping[str, str]) -> tuple[TableTest, ...]:
    """The tests of a file that holds nothing else.

    ``file`` and ``environment`` are those of ``load_config``.  Raises InvalidConfig with every problem.
    """
    root, problems = read_document(text, file, environment, _SMALLEST)
    if root is None:
        raise InvalidConfig(in_order(problems))
    written, mismatches = validate(root, file, TestsFileConfig)
    findings = Findings(file, root, [*problems, *mismatches])
    tests = compile_tests(written.tests, findings)
    findings.conclude()
    return tests


def compile_tests(rows: Sequence[TableTestConfig], findings: Findings) -> tuple[TableTest, ...]:
    """Every test of these rows, in their order; what is no request of a page is recorded and left out."""
    paths: Iterable[Path] = (("tests", index) for index in range(len(rows)))
    return tuple(test for path, row in zip(paths, rows, strict=True) for test in _tests(row, path, findings))


def _tests(row: TableTestConfig, path: Path, findings: Findings) -> Iterator[TableTest]:
    origins = _each(row.origin, (*path, "origin"), _origin, findings)
    methods = _each(row.method, (*path, "method"), _method, findings)
    targets = _each(row.path, (*path, "path"), parse_asked_path, findings)
    host = findings.parse((*path, "host"), parse_literal_host, row.host) if row.host else ANY_HOST.encode()
    _check_headers(row.headers, (*path, "headers"), findings)
    if prod(map(len, (origins, methods, targets))) > _MOST:
        findings.refuse_key(path, f"the lists of this test make more than {_MOST:,} of it; write fewer")
        return
    if host is None or findings.problems:  # nothing runs then
        return
    for (place, origin), (_, method), (_, target) in product(origins, methods, targets):
        request = Request(
            url=f"{_SCHEME}{host.decode('ascii').lower()}{target.decode('ascii')}",
            origin=origin,
            method=method,
            headers=script_headers(row.headers),
            credentials=Credentials.INCLUDE if row.credentials else Credentials.SAME_ORIGIN,
        )
        yield TableTest(findings.file, place, request, row.expect)


def _each(
    entries: Sequence[str], path: Path, parse: Callable[[str], Parsed], findings: Findings
) -> list[tuple[Place, Parsed]]:
    """What each entry of a list means, and where it stands."""
    if not entries:
        findings.refuse(path, "this list is empty, so nothing would be tested; write an entry, or remove the test")
    each = [((*path, index), entry) for index, entry in enumerate(entries)]
    parsed = [(findings.place(at), findings.parse(at, parse, entry)) for at, entry in each]
    return [(place, found) for place, found in parsed if found is not None]


def _origin(text: str) -> bytes:
    if text == "null":
        return b"null"
    try:
        return str(parse_origin(text)).encode("ascii")
    except InvalidOrigin as invalid:
        raise Unusable(str(invalid), invalid.correction) from None


def _method(text: str) -> bytes:
    method = text.encode("ascii", "replace")  # "?" is no token character
    if not is_token(method):
        raise Unusable(f"{text!r} is no method; write one like GET")
    if text.upper() in FORBIDDEN_METHODS:
        raise Unusable(f"{text!r} is a method that browsers never send for a page; remove it")
    return method


def _check_headers(lines: Sequence[str], path: Path, findings: Findings) -> None:
    parts = [line.partition(":") for line in lines]
    for problem in request_header_problems([name.strip() for name, _, _ in parts]):
        findings.refuse(path if problem.index is None else (*path, problem.index), problem.message)
    for index, (name, _, value) in enumerate(parts):
        if not _HEADER_VALUE.fullmatch(value):
            findings.refuse((*path, index), f"the value of {name.strip()!r} is not printable ASCII; write another one")
