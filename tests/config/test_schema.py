"""The JSON Schema, and that it says what the loader says wherever a schema can say it."""

from __future__ import annotations

import re

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.examples import EXAMPLES
from corsproxy.config.load import load_config
from corsproxy.config.schema import json_schema, json_schema_of_tests
from corsproxy.config.section import Section
from corsproxy.config.sections import TITLES
from corsproxy.errors import InvalidConfig

SCHEMA = json_schema()
SECTIONS = {section.__name__: section for section in TITLES}
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


class CoreLoader(yaml.SafeLoader):
    """YAML 1.2 as editors read it: on, no and the like are texts."""


CoreLoader.yaml_implicit_resolvers = {
    character: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for character, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
CoreLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), list("tf"))


def accepts(text):
    return VALIDATOR.is_valid(yaml.load(text, CoreLoader))  # noqa: S506  # a safe loader with other booleans


def loads(text):
    try:
        load_config(text, "c", {})
    except InvalidConfig:
        return False
    return True


def test_it_is_a_schema_of_the_current_draft():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("schema", [SCHEMA, json_schema_of_tests()], ids=["configuration", "tests"])
def test_every_key_has_a_description(schema):
    for section in [schema, *schema["$defs"].values()]:
        assert section["description"]
        for key, value in section.get("properties", {}).items():
            assert value["description"].strip(), key
            assert value["markdownDescription"] == value["description"]


def test_whatever_an_editor_cannot_complete_by_itself_has_examples():
    """It can: true and false, words of a list, and defaults that say something; a section has keys of its own."""
    for name, section in [("Config", SCHEMA), *SCHEMA["$defs"].items()]:
        for key, value in section.get("properties", {}).items():
            by_itself = value.get("type") == "boolean" or "enum" in value or value.get("$ref", "").endswith("Config")
            if not by_itself and value.get("default", "") == "":
                assert value.get("examples"), f"{name}.{key}"


def test_examples_are_of_keys_that_there_are():
    keys = {(name, key) for name, section in SECTIONS.items() for key in section.model_fields}
    assert {(name, key) for name, examples in EXAMPLES.items() for key in examples} <= keys


def test_examples_are_what_their_key_takes():
    for name, section in [("Config", SCHEMA), *SCHEMA["$defs"].items()]:
        for key, value in section.get("properties", {}).items():
            validator = jsonschema.Draft202012Validator({**value, "$defs": SCHEMA["$defs"]})
            for example in value.get("examples", ()):
                assert validator.is_valid(example), (name, key, example)


def test_no_noise_is_left():
    text = repr(SCHEMA)
    assert "'type': 'null'" not in text
    assert text.count("'title'") == 1
    assert "'default': None" not in text


def test_kinds_of_values_have_names():
    assert {"Duration", "DurationOrNone", "MaxAge", "HeadSize", "SizeOrNone", "Texts"} <= set(SCHEMA["$defs"])
    assert SCHEMA["$defs"]["LimitsConfig"]["properties"]["max_request_body"]["$ref"] == "#/$defs/SizeOrNone"


def test_every_section_has_a_title_for_messages():
    ours = {section for section in Section.__subclasses__() if section.__module__.startswith("corsproxy.config.")}
    assert set(TITLES) == ours


RULES = "rules: [{upstream: http://a, policy: none}]\n"


@pytest.mark.parametrize(
    "text",
    [
        RULES,
        f"{RULES}listen: 127.0.0.1:8080\n",
        f"{RULES}listen: [a:80, unix:/a, {{address: 'b:80', tls: {{cert: c, key: k}}}}]\n",
        f"{RULES}listen: {{address: a:80}}\nadmin: off\ntrusted_proxies: 10.0.0.0/8\n",
        f"{RULES}limits: {{max_request_body: none, request_head_timeout: 90, keepalive_timeout: 1.5m}}\n",
        f"{RULES}limits: {{max_request_head: 2048, request_body_timeout: 500ms}}\n",
        f"{RULES}policies: {{a: {{allow_origins: '*', max_age: none}}, b: {{allow_origins: [https://b]}}}}\n",
        "rules: [{upstream: http://a, policy: {allow_origins: '*', on_denied: reject}}]\n",
        "rules: [{upstream: http://a, policy: none, headers: {request: {add: {A: [b, c], D: e}, remove: F}}}]\n",
    ],
)
def test_what_loads_is_accepted(text):
    assert loads(text)
    assert accepts(text)


@pytest.mark.parametrize(
    "text",
    [
        "listen: a:80\n",
        f"{RULES}unknown: 1\n",
        f"{RULES}limits: {{keepalive_timeout: soon}}\n",
        f"{RULES}limits: {{max_request_head: 64kib}}\n",
        f"{RULES}limits: {{request_head_timeout: none}}\n",
        f"{RULES}limits: {{max_connections: 0}}\n",
        f"{RULES}limits: {{max_connections: '5'}}\n",
        f"{RULES}policies: {{a: {{allow_origins: '*', allow_credentials: yes}}}}\n",
        f"{RULES}policies: {{a: {{allow_origins: [5]}}}}\n",
        f"{RULES}policies: {{a: {{allow_origins: '*', preflight_status: 404}}}}\n",
        f"{RULES}policies: {{a: {{allow_origins: '*', cross_origin_resource_policy: same_site}}}}\n",
        f"{RULES}policies: {{a: {{allow_origins: '*', cross_origin_resource_policy: ~}}}}\n",
        f"{RULES}listen: {{address: 'b:80', tls: {{cert: c}}}}\n",
        "rules: [{upstream: http://a}]\n",
        "rules: [{upstream: http://a, policy: 5}]\n",
        "rules: [{upstream: http://a, policy: none, upstream_cors: strip}]\n",
        "rules: [{upstream: http://a, policy: none, cookies: {secure: 1}}]\n",
    ],
)
def test_what_the_schema_can_say_is_refused_by_both(text):
    assert not loads(text)
    assert not accepts(text)


@given(st.integers(0, 4000), st.sampled_from(["", "s", "m", "h", "ms", "d", "min", "M", "KiB"]))
def test_durations_are_the_same_in_both(number, unit):
    """Up to the year that only the loader knows of, and zero, which is no limit."""
    text = f"{RULES}limits: {{request_body_timeout: {number}{unit}}}\n"
    if loads(text):
        assert accepts(text)
    elif number and unit != "d":
        assert not accepts(text)


def test_references_to_the_environment_pass():
    """An editor does not know what they bring."""
    assert accepts(f"{RULES}limits: {{keepalive_timeout: '${{K}}', max_request_head: '${{H:-64KiB}}'}}\n")
