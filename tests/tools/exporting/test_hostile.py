"""Texts that are full of what configurations are made of stay texts: the engines' own parsers read every output."""

import json
import string

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from corsproxy.conformance.engines import free_port
from corsproxy.tools.exporting.targets import TARGETS, export
from corsproxy.tools.written_config import WrittenConfig
from tests.engines import installed

# What ends or begins something in one of the syntaxes.
SPECIAL = "\"'$`{}[]()#;:%\\|&<>*?!=,~^@+-/ \t"
TEXTS = st.text(st.sampled_from(SPECIAL + string.ascii_letters + string.digits), min_size=1, max_size=20)
VALUES = TEXTS.map(str.strip).filter(bool)
TOKENS = st.text(st.sampled_from("!#$%&'*+-.^_`|~aB0"), min_size=1, max_size=8)
SEGMENTS = st.text(st.sampled_from("!$&'()*+,:=@{}|^`\"<>~_-aB0"), min_size=1, max_size=6)
SEEDS = (
    *(
        '"; return 200 pwned; #',
        "'; }",
        "${HOME}",
        "$http_cookie",
        "{env.HOME}",
        "{http.request.header.Cookie}",
        "%[env(HOME)]",
    ),
    *(
        "%REQ(cookie)%",
        "%DOWNSTREAM_REMOTE_ADDRESS%",
        "\\",
        "\\\\",
        "'\\''",
        "]]>",
        "--- !!x",
        "# x",
        "`id`",
        "$1 \\1",
        "a'b\"c",
    ),
)

PORT = free_port()  # nobody listens there, but nginx tries to


@st.composite
def tables(draw):
    """A table whose every text is hostile, as far as a table takes it."""
    values = draw(st.lists(VALUES | st.sampled_from(SEEDS), min_size=3, max_size=8))
    names = draw(st.lists(TOKENS.map("X-{}".format), min_size=3, max_size=6, unique_by=str.lower))
    path = "/" + draw(SEGMENTS)
    edits = {"set": {f"X-Set-{index}": value for index, value in enumerate(values)}, "add": {"X-Add": values[:2]}}
    policy = {
        "allow_origins": ["https://a.example", "https://*.b.example"],
        "allow_methods": ["GET", draw(TOKENS.map("M{}".format))],
        "allow_headers": names[1:],
        "expose_headers": names,
    }
    rule = {"upstream": "http://127.0.0.1:1" + "/" + draw(SEGMENTS), "policy": policy}
    return {
        "listen": f"127.0.0.1:{PORT}",
        "rules": [
            {**rule, "path": path, "strip_prefix": True, "headers": {"request": edits, "response": edits}},
            {"upstream": "http://127.0.0.1:1", "policy": "none", "headers": {"request": {"remove": names}}},
        ],
    }


def written(table):
    """The table, or None where this proxy would not take it (a path that servers read in two ways, say)."""
    try:
        return WrittenConfig.read(yaml.safe_dump(table), 'a\n"file" ${HOME}; }\n{', {})
    except ValueError:
        return None


@pytest.mark.parametrize(("name", "examples"), [("nginx", 12), ("haproxy", 12), ("caddy", 8), ("envoy", 3)])
def test_the_parser_of_the_engine_reads_it(name, examples, tmp_path):
    engine, tried = installed(name), []

    # What fails is not made smaller: each attempt is a process.
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(tables())
    def attempt(table):
        found = written(table)
        if found is not None:
            tried.append(found)
            assert engine.complaint(export(found, TARGETS[name]).text, tmp_path) == ""

    attempt()
    assert len(tried) > examples / 4  # most of what is made up is a table


@settings(max_examples=4, deadline=None)
@given(tables())
def test_the_other_targets_are_yaml_with_the_same_texts(table):
    found = written(table)
    if found is None:
        return
    for name in ("gateway-api", "traefik", "envoy"):
        documents = list(yaml.safe_load_all(export(found, TARGETS[name]).text))
        said = json.dumps(documents)
        for text in table["rules"][0]["headers"]["request"]["set"].values():
            assert json.dumps(text.replace("%", "%%") if name == "envoy" else text) in said
