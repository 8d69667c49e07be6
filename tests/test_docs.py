"""The documentation is true: what it shows is loaded, sent, run and compared, see docs/README.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from corsproxy.cli.exchange_lines import _VERDICTS
from corsproxy.config.model import PolicyConfig
from corsproxy.cors.check import Blocked, Step, Verdict
from corsproxy.cors.words import CORS_SENTENCES, chromium, websocket_refused
from corsproxy.errors import InvalidConfig
from tests import documents
from tests.documents import ROOT, Block, Document
from tests.e2e.messages import Fields
from tests.e2e.rig import RawUpstream, answering, running_proxy
from tests.test_house import HOUSE, PACKAGE

DOCS = documents.pages("docs")
CORS = Document(ROOT / "docs/cors.md")
DESIGN = Document(ROOT / "docs/design.md")
PAGES = [*DOCS, *(Document(ROOT / name) for name in ("README.md", "CONTRIBUTING.md", "deploy/README.md"))]

# What the product was asked to do, and the heading under which docs/cors.md explains it.
SCENARIOS = {
    "S1 a simple GET of a listed page": "A simple request",
    "S2 the same of a page that is not listed": "A page that is not listed",
    "S3 JSON, custom headers, PUT and DELETE are preflighted": "The preflight",
    "S4 the request after the preflight": "The request after the preflight",
    "S5 the rule that is written by hand in Express": "Headers written by hand in Express",
    "S6 what the cors package of Express can say": "The cors package of Express",
    "S7 what Flask-CORS can say": "Flask-CORS",
    "S8 an API that answers OPTIONS itself": "An API that answers OPTIONS itself",
    "S9 scheme, host and port": "What an origin is",
    "S10 the star": "Any origin",
    "S10 the star with credentials": "Cookies, and why the star is refused",
    "S11 it works with curl and not in the browser": "It works with curl",
    "S12 nothing but: blocked by CORS policy": "How to read the log",
}

# The options that need a counterpart, or a reason why not.
EXPRESS = "origin methods allowedHeaders exposedHeaders credentials maxAge preflightContinue optionsSuccessStatus"
FLASK = (
    "resources origins methods allow_headers expose_headers supports_credentials max_age send_wildcard vary_header "
    "always_send automatic_options intercept_exceptions allow_private_network"
)


def blocks(*kinds: str) -> list:
    return [pytest.param(block, id=f"{page.path.name}: {block.section}") for page in DOCS for block in page.of(*kinds)]


# Configurations


@pytest.mark.parametrize("block", blocks("yaml"))
def test_every_configuration_loads(block):
    assert documents.load(block.text).warnings == ()


@pytest.mark.parametrize("block", blocks("yaml refused"))
def test_what_is_called_refused_is_refused(block):
    with pytest.raises(InvalidConfig):
        documents.load(block.text)


@pytest.mark.parametrize(("heading", "options"), [("The cors package of Express", EXPRESS), ("Flask-CORS", FLASK)])
def test_every_option_of_the_others_has_its_row(heading, options):
    """Each has a policy that loads, or says why there is none."""
    rows = CORS.table(heading)
    named = {re.match(r"`(\w+)", theirs)[1] for theirs, _, _ in rows}
    assert named == set(options.split())
    for theirs, ours, remarks in rows:
        if ours == "none":
            assert remarks, theirs
            continue
        (policy,) = documents.codes(ours)
        assert set(yaml.safe_load(policy)) <= set(PolicyConfig.model_fields)
        documents.load(policy)


def test_origins_that_differ_in_scheme_host_or_port_are_not_allowed():
    policy = documents.load("allow_origins: https://site.com").table.rules[0].policy
    rows = CORS.table("What an origin is")
    assert policy.allows_origin(b"https://site.com")
    assert [differs for _, differs in rows] == ["the scheme", "the port", "the host", "the host"]
    assert [origin for origin, _ in rows if policy.allows_origin(origin.strip("`").encode())] == []


# Words


def test_every_scenario_has_its_heading():
    assert [heading for heading in SCENARIOS.values() if heading not in CORS.headings] == []


# Each reason for which Chromium prints its CORS sentence, and what it is about in the table of docs/cors.md.
SUBJECTS = {
    Blocked.MULTIPLE_ALLOW_ORIGIN: b"https://myapp.com, *",
    Blocked.INVALID_ALLOW_ORIGIN: b"myapp.com",
    Blocked.OTHER_ALLOW_ORIGIN: b"https://old.myapp.com",
    Blocked.METHOD: b"PATCH",
    Blocked.HEADER: b"x-api-key",
    Blocked.REDIRECT_SCHEME: b"ftp",
}
URL, APP = "https://api.example.com/data", "https://myapp.com"


def test_the_table_has_every_sentence_of_the_browser():
    start = f"Access to fetch at '{URL}' from origin '{APP}' has been blocked by CORS policy: "
    sentences = [
        chromium(Verdict(reason, SUBJECTS.get(reason, b""), Step.ACTUAL, URL), url=URL, origin=APP)
        for reason in CORS_SENTENCES
    ]
    shown = [documents.codes(cells[0])[0] for cells in CORS.table("What you see, what it means, what to write")]
    assert shown == [sentence.removeprefix(start) for sentence in sentences]


def test_what_stands_around_a_sentence_is_chromiums_too():
    said = chromium(Verdict(Blocked.MISSING_ALLOW_ORIGIN, step=Step.PREFLIGHT, url="URL"), url="URL", origin="ORIGIN")
    quoted = documents.codes(CORS.section("What you see, what it means, what to write"))[:2]
    assert said.startswith(" ".join(quoted))


def test_the_sentence_about_a_websocket_is_chromiums_too():
    (block,) = CORS.of("text")
    assert block.text.strip() == websocket_refused(403, url="https://api.example.com/feed")


def test_the_verdicts_are_those_of_the_log():
    shown = [documents.codes(cells[0])[0] for cells in CORS.table("How to read the log")]
    assert sorted(shown) == sorted(_VERDICTS.values())


# On the wire


class Example(NamedTuple):
    """A request, what the API answers (None: it is not asked), what the client gets, and the configuration for it."""

    request: str
    upstream: str | None
    answer: str
    config: str


def examples() -> Iterator:
    standard = next(block.text for block in CORS.of("yaml") if block.section == "The example")
    config, section = standard, ""
    request, upstream = "", None
    for block in CORS.of("yaml", "http request", "http upstream", "http answer"):
        if block.section != section:
            config, section = standard, block.section
        if block.kind == "yaml":
            config = block.text
        elif block.kind == "http request":
            request, upstream = block.text, None
        elif block.kind == "http upstream":
            upstream = block.text
        else:
            line = request.partition(" HTTP")[0]
            yield pytest.param(Example(request, upstream, block.text, config), id=f"{section}: {line}")


def wire(text: str) -> bytes:
    """A block as it goes over the wire."""
    head, _, body = text.removesuffix("\n").partition("\n\n")
    return head.encode().replace(b"\n", b"\r\n") + b"\r\n\r\n" + body.encode()


def parsed(text: str) -> tuple[bytes, Fields, bytes]:
    head, _, body = wire(text).partition(b"\r\n\r\n")
    start, *lines = head.split(b"\r\n")
    fields = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    return start, fields, body


@pytest.mark.parametrize("example", list(examples()))
async def test_what_goes_over_the_wire(example):
    """The client gets this answer, and the API this request, or none."""
    start, fields, body = parsed(example.request)
    async with (
        RawUpstream(answering()) as upstream,
        running_proxy(documents.redirected(example.config, upstream.url)) as proxy,
    ):
        (written,) = {rule["upstream"] for rule in yaml.safe_load(example.config)["rules"]}
        upstream.script = answering(wire((example.upstream or "").replace(written, upstream.url)))
        client = await proxy.send(wire(example.request))
        response = await client.response(start.split(b" ")[0])
        shown = [field for field in response.fields if field[0] != b"Date"]
        assert (response.start, shown, response.body.removesuffix(b"\n")) == parsed(example.answer)
        asked = [(request.start, request.body, request.all(b"Origin")) for request in upstream.requests]
        origins = [value for name, value in fields if name == b"Origin"]
        assert asked == ([(start, body, origins)] if example.upstream else [])


# Commands


def consoles(kind: str) -> Iterator[tuple[Block, Block]]:
    """Each console block with a block of that kind before it in its section."""
    for page in DOCS:
        before = None
        for block in page.of("yaml", "yaml refused", "console"):
            if (
                block.kind == "console"
                and before is not None
                and (before.kind, before.section) == (kind, block.section)
            ):
                yield before, block
            before = block


def test_a_refusal_is_printed_as_shown(tmp_path):
    ((config, console),) = consoles("yaml refused")
    command, printed = documents.transcript(console)
    (tmp_path / "config.yaml").write_text(config.text, "utf-8")
    done = documents.run(command, tmp_path)
    assert (done.returncode, done.stdout.splitlines()) == (1, printed)


def test_the_log_is_printed_as_shown(tmp_path):
    ((config, console),) = consoles("yaml")
    command, printed = documents.transcript(console)
    with documents.legacy_api() as upstream:
        (tmp_path / "config.yaml").write_text(documents.redirected(config.text, upstream), "utf-8")
        with documents.running(command, tmp_path) as process:
            found = documents.replay(process, printed, {"Access-Control-Request-Method": "PATCH"})
    assert documents.comparable(found) == documents.comparable(printed)


# Links and names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.name)
def test_every_link_leads_somewhere(page):
    broken = []
    for target in documents.LINK.findall(page.prose):
        if re.match(r"https?:", target):
            continue
        file, _, fragment = target.partition("#")
        path = (page.path.parent / file).resolve() if file else page.path
        if not path.exists() or (fragment and fragment not in Document(path).anchors()):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.name)
def test_no_page_holds_both_sides_of_a_merge(page):
    assert re.findall(r"^(?:<{7}|={7}|>{7})(?: .*)?$", page.text, re.MULTILINE) == []


def test_the_design_names_every_folder():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    (house,) = DESIGN.of("")
    assert re.findall(r"^  (\w+)/ ", house.text, re.MULTILINE) == [name for name in HOUSE if name in folders]


def test_the_design_names_only_files_that_exist():
    named = {code for code in documents.codes(DESIGN.prose) if re.fullmatch(r"[\w/.-]+\.(py|md|yaml|toml)", code)}
    assert len(named) > 20
    assert [name for name in sorted(named) if not ((PACKAGE / name).is_file() or (ROOT / name).is_file())] == []


def test_the_design_names_every_file_of_the_data_plane():
    names = {f"proxy/{path.name}" for path in Path(PACKAGE, "proxy").glob("*.py") if path.name != "__init__.py"}
    assert names <= set(documents.codes(DESIGN.prose))


def test_the_index_lists_every_page():
    index = next(page for page in DOCS if page.path.name == "README.md")
    linked = set(documents.LINK.findall(index.prose))
    assert {page.path.name for page in DOCS} - {"README.md"} <= linked
