"""A configuration that may run: what every key becomes."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.addresses import Listen
from corsproxy.config.load import Limits, compile_config, load_config
from corsproxy.config.model import Config, PolicyConfig, RuleConfig
from corsproxy.config.table import Endpoint, Timeouts, UpstreamTls
from corsproxy.cors.policy import PolicySpec
from corsproxy.errors import InvalidConfig
from corsproxy.http.cookies import CookieRewrite
from corsproxy.http.fields import FieldEdits
from corsproxy.http.forwarded import Forwarding
from corsproxy.http.location import LocationRewrite

# The example of the design, whole.
WHOLE = r"""
listen: 0.0.0.0:8080
admin: 127.0.0.1:9901
trusted_proxies: [10.0.0.0/8]
limits:
  request_head_timeout: 5s
  request_body_timeout: none
  keepalive_timeout: 2m
  max_request_head: 16KiB
  max_request_body: 10MiB
  max_connections: 50
policies:
  web-app:
    allow_origins: [https://app.example.com, https://*.preview.example.com, http://localhost:*]
    allow_methods: [GET, POST, PUT, DELETE]
    allow_headers: [Content-Type, Authorization]
    expose_headers: [X-Total-Count]
    allow_credentials: true
    max_age: 10m
  strict:
    allow_origins: ["null"]
    allow_origin_regex: https://pr-[0-9]+\.example\.com
    allow_private_network: true
    timing_allow_origins: [https://app.example.com]
    cross_origin_resource_policy: cross-origin
    preflight_status: 200
    on_denied: reject
    dangerously_allow_null: true
    dangerously_allow_insecure_origins: true
    dangerously_allow_public_suffix_subdomains: true
upstreams:
  orders:
    urls: [http://orders.internal:8000/v1, https://orders.internal/v1/]
    timeouts: {connect: 1s, response: 500ms, idle: none}
rules:
  - path: /orders
    upstream: orders
    policy: web-app
    strip_prefix: true
    limits: {max_request_body: 1MiB, request_body_timeout: 10s}
  - path: /old/api
    host: legacy.example.com
    upstream: http://10.0.0.7:8000/base
    policy: strict
    upstream_cors: replace
    forward_host: preserve
    forward_origin: remove
    headers:
      request: {set: {X-A: b}, add: {X-C: [d, e]}, remove: [X-Debug]}
      response: {set: {}, add: {X-F: g}, remove: Server}
    cookies: {same_site: none, secure: true, partitioned: true, domain: remove, path: /x}
"""


def load(text, **environment):
    return load_config(text, "config.yaml", environment, pseudonym="test")


@pytest.fixture(scope="module")
def whole():
    return load(WHOLE)


def rule_of(text):
    """The one rule of a table whose rule has these further keys."""
    return load(f"rules:\n  - upstream: http://api.internal:8000/base\n    policy: none\n    {text}\n").table.rules[0]


def test_the_listeners(whole):
    assert whole.listen == (Listen("0.0.0.0", 8080),)
    assert whole.admin == Listen("127.0.0.1", 9901)
    assert whole.limits == Limits(5.0, None, 120.0, 16384, max_request_body=10 * 1024 * 1024, max_connections=50)
    assert whole.table.forwarding == Forwarding.create(["10.0.0.0/8"], "test")
    assert whole.warnings == ()


def test_the_config_as_it_was_written(whole):
    assert list(whole.config.policies) == ["web-app", "strict"]
    assert whole.config.rules[0].upstream == "orders"
    assert whole.config.policies["web-app"].max_age == 600


def test_the_policies(whole):
    strict, web_app = (rule.policy for rule in whole.table.rules)
    assert web_app.spec == PolicySpec(
        name="web-app",
        allow_origins=("https://app.example.com", "https://*.preview.example.com", "http://localhost:*"),
        allow_methods=("GET", "POST", "PUT", "DELETE"),
        allow_headers=("Content-Type", "Authorization"),
        expose_headers=("X-Total-Count",),
        allow_credentials=True,
        max_age=600,
    )
    assert strict.spec == PolicySpec(
        name="strict",
        allow_origins=("null",),
        allow_origin_regex=r"https://pr-[0-9]+\.example\.com",
        allow_private_network=True,
        timing_allow_origins=("https://app.example.com",),
        cross_origin_resource_policy="cross-origin",
        preflight_status=200,
        on_denied="reject",
        dangerously_allow_null=True,
        dangerously_allow_insecure_origins=True,
        dangerously_allow_public_suffix_subdomains=True,
    )


def test_a_policy_has_the_keys_of_the_engine():
    fields = {field.name for field in dataclasses.fields(PolicySpec)} - {"name"}
    assert set(PolicyConfig.model_fields) == fields


def test_an_upstream_with_two_addresses(whole):
    upstream = whole.table.rules[1].upstream
    assert upstream.name == "orders"
    assert upstream.endpoints == (
        Endpoint(tls=False, host="orders.internal", port=8000, unix_path="", authority=b"orders.internal:8000"),
        Endpoint(tls=True, host="orders.internal", port=443, unix_path="", authority=b"orders.internal"),
    )
    assert list(map(str, upstream.endpoints)) == [
        "http://orders.internal:8000",
        "https://orders.internal",
    ]
    assert upstream.base == b"/v1"
    assert upstream.timeouts == Timeouts(1.0, 0.5, None)


def test_a_rule_with_everything(whole):
    rule = whole.table.rules[0]
    assert (rule.name, rule.host, rule.path) == ("legacy.example.com/old/api", "legacy.example.com", "/old/api")
    assert rule.where == "config.yaml:41:5"
    assert rule.strip == 0
    assert (rule.max_request_body, rule.request_body_timeout) == (10 * 1024 * 1024, None)
    assert (rule.forward_host, rule.forward_origin) == (b"", b"")
    assert rule.request_edits == FieldEdits(frozenset({b"x-a", b"x-debug"}), b"X-A: b\r\nX-C: d\r\nX-C: e\r\n")
    assert rule.response_edits == FieldEdits(frozenset({b"server"}), b"X-F: g\r\n")
    assert rule.cookies == CookieRewrite("none", True, True, "remove", "/x", base=b"/base")
    assert rule.location == LocationRewrite.create(["http://10.0.0.7:8000"], "/base", "")


def test_a_rule_that_strips_its_prefix(whole):
    rule = whole.table.rules[1]
    assert rule.strip == 1
    assert (rule.max_request_body, rule.request_body_timeout) == (1024 * 1024, 10.0)
    assert rule.cookies == CookieRewrite(base=b"/v1", prefix=b"/orders")
    assert rule.location == LocationRewrite.create(
        ["http://orders.internal:8000", "https://orders.internal"], "/v1", "/orders"
    )


def test_the_smallest_configuration_has_the_documented_defaults():
    compiled = load("rules: [{upstream: http://api.internal, policy: none}]")
    rule = compiled.table.rules[0]
    assert compiled.listen == (Listen("127.0.0.1", 8080),)
    assert compiled.admin is None
    assert compiled.limits == Limits()
    assert compiled.table.forwarding == Forwarding.create([], "test")
    assert (rule.name, rule.policy, rule.strip, rule.cookies) == ("/", None, 0, None)
    assert (rule.forward_host, rule.forward_origin) == (None, None)
    assert (rule.max_request_body, rule.request_body_timeout) == (None, 30.0)
    assert rule.upstream.timeouts == Timeouts()
    assert rule.upstream.name == "http://api.internal"


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("unix:/run/a.sock", (Listen(unix_path="/run/a.sock"),)),
        ("['127.0.0.1:0', '[::1]:0']", (Listen("127.0.0.1", 0), Listen("::1", 0))),
        ("{address: localhost:8443, tls: {cert: c, key: k}}", (Listen("localhost", 8443, "", "c", "k"),)),
        ("[{address: localhost:80}, unix:/a]", (Listen("localhost", 80), Listen(unix_path="/a"))),
    ],
)
def test_the_forms_of_listen(text, listen):
    assert load(f"listen: {text}\nrules: [{{upstream: http://a, policy: none}}]").listen == listen


def test_admin_may_be_a_socket_or_off():
    rules = "rules: [{upstream: http://a, policy: none}]"
    assert load(f"admin: unix:/run/admin.sock\n{rules}").admin == Listen(unix_path="/run/admin.sock")
    assert load(f"admin: off\n{rules}").admin is None


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("forward_host: api.example.com:81", "forward_host", b"api.example.com:81"),
        ("forward_host: upstream", "forward_host", None),
        ("forward_host: preserve", "forward_host", b""),
        ("forward_origin: https://own.example.com", "forward_origin", b"https://own.example.com"),
        ("forward_origin: keep", "forward_origin", None),
        ("forward_origin: remove", "forward_origin", b""),
        ("path: /a/b/c\n    strip_prefix: true", "strip", 3),
        ("path: /\n    strip_prefix: true", "strip", 0),
        ("host: '[::1]'", "host", "::1"),
        ("limits: {max_request_body: 0}", "max_request_body", 0),
        ("limits: {request_body_timeout: 1s}", "request_body_timeout", 1.0),
        ("cookies: {secure: false}", "cookies", CookieRewrite(secure=False, base=b"/base")),
        ("cookies: {domain: example.com}", "cookies", CookieRewrite(domain="example.com", base=b"/base")),
    ],
)
def test_what_a_key_of_a_rule_becomes(text, field, value):
    assert getattr(rule_of(text), field) == value


def test_a_literal_host_leads_back_too():
    """The upstream names itself by the host that it was sent."""
    rule = rule_of("forward_host: legacy.example.com")
    urls = ["http://api.internal:8000", "http://legacy.example.com"]
    assert rule.location == LocationRewrite.create(urls, "/base", "")


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        ("{}", UpstreamTls()),
        ("{ca: /a.pem}", UpstreamTls(ca="/a.pem")),
        ("{cert: c.pem, server_name: api.internal}", UpstreamTls(cert="c.pem", server_name="api.internal")),
        ("{cert: c.pem, key: k.pem, server_name: '[::1]'}", UpstreamTls(cert="c.pem", key="k.pem", server_name="::1")),
    ],
)
def test_the_tls_of_an_upstream(tls, expected):
    compiled = load(f"upstreams: {{u: {{url: https://a, tls: {tls}}}}}\nrules: [{{upstream: u, policy: none}}]")
    assert compiled.table.rules[0].upstream.tls == expected
    assert compiled.warnings == ()


def test_an_upstream_that_is_not_verified_is_warned_of():
    compiled = load("upstreams: {u: {url: https://a, tls: {verify: false}}}\nrules: [{upstream: u, policy: none}]")
    assert compiled.table.rules[0].upstream.tls == UpstreamTls(verify=False)
    (warning,) = compiled.warnings
    assert str(warning).startswith("config.yaml:1:39: the certificate of this upstream is not verified, so whoever ")


def test_an_upstream_behind_a_socket():
    rule = load("rules: [{upstream: unix:/run/a.sock, policy: none}]").table.rules[0]
    assert rule.upstream.endpoints[0].unix_path == "/run/a.sock"
    assert rule.location == LocationRewrite.create([], "", "")


def test_rules_with_the_same_upstream_share_it():
    """Pools are found by identity: two upstreams would mean twice as many connections."""
    named = (
        "upstreams: {a: {url: http://a}}\nrules: [{upstream: a, policy: none}, {path: /b, upstream: a, policy: none}]"
    )
    direct = "rules: [{upstream: http://a, policy: none}, {path: /b, upstream: http://a, policy: none}]"
    for text in (named, direct):
        first, second = load(text).table.rules
        assert first.upstream is second.upstream


def test_a_policy_inside_a_rule_is_called_by_the_rule():
    rule = load("rules: [{path: /a, host: b.c, upstream: http://a, policy: {allow_origins: '*'}}]").table.rules[0]
    assert rule.policy is not None
    assert rule.policy.name == "b.c/a (inline)"
    assert rule.policy.spec.allow_origins == ("*",)


def test_the_upstreams_headers_are_kept_without_a_policy():
    kept = "rules: [{upstream: http://a, policy: {allow_origins: '*'}, upstream_cors: keep}]"
    compiled = load(kept)
    assert compiled.table.rules[0].policy is None
    assert [str(warning) for warning in compiled.warnings] == [
        "config.yaml:1:60: the policy of this rule has no effect, since the upstream's CORS headers are kept"
    ]
    assert load("rules: [{upstream: http://a, policy: none, upstream_cors: keep}]").warnings == ()


def test_what_no_rule_uses_is_a_warning():
    rules = "rules: [{upstream: http://a, policy: none}]\n"
    text = "policies:\n  p: {allow_origins: '*'}\nupstreams:\n  u: {url: http://a}\n"
    assert [str(warning) for warning in load(text + rules).warnings] == [
        "config.yaml:2:3: no rule uses the policy 'p'; remove it, or name it in a rule",
        "config.yaml:4:3: no rule uses the upstream 'u'; remove it, or name it in a rule",
    ]


def test_values_come_from_the_environment():
    text = """
listen: ${HOST}:${PORT:-8080}
limits: {max_connections: 7}
policies:
  web:
    allow_origins: ["${APP}"]
    allow_credentials: ${CREDENTIALS}
    max_age: ${MAX_AGE:-10m}
rules:
  - upstream: ${API:-http://127.0.0.1:8000}
    policy: web
"""
    compiled = load(text, HOST="0.0.0.0", APP="https://app.example.com", CREDENTIALS="true", API="http://api:1")
    policy = compiled.table.rules[0].policy
    assert compiled.listen == (Listen("0.0.0.0", 8080),)
    assert policy is not None
    assert policy.spec.allow_origins == ("https://app.example.com",)
    assert (policy.spec.allow_credentials, policy.spec.max_age) == (True, 600)
    assert compiled.table.rules[0].upstream.name == "http://api:1"


def test_a_config_can_be_built_without_a_file():
    config = Config(
        listen=["localhost:0"],
        rules=[RuleConfig(upstream="http://a:1", policy=PolicyConfig(allow_origins=["http://localhost:*"]))],
    )
    compiled = compile_config(config)
    rule = compiled.table.rules[0]
    assert compiled.listen == (Listen("localhost", 0),)
    assert rule.where == "command line: rules[0]"
    assert rule.policy is not None
    assert rule.policy.allows_origin(b"http://localhost:3000")


def test_the_problems_of_flags_name_what_they_are_about():
    policy = PolicyConfig(allow_origins=["https://a/"])
    rules = [RuleConfig(upstream="ftp://a", policy=policy), RuleConfig(upstream="http://a", policy="none")]
    rules += [RuleConfig(upstream="http://a", policy="none")]
    slash = "'https://a/' has a trailing slash; write it byte for byte as browsers send it -> https://a"
    with pytest.raises(InvalidConfig) as caught:
        compile_config(Config(listen=[":80"], policies={"a b": policy}, rules=rules), file="flags")
    assert [str(problem).replace("\n    ", " -> ") for problem in caught.value.problems] == [
        "flags: listen[0]: ':80' is every interface of this machine; say so, or name one -> 0.0.0.0:80",
        "flags: policies.a b: 'a b' is no name; use letters, digits, hyphens, dots and underscores",
        f"flags: policies.a b.allow_origins[0]: {slash}",
        "flags: rules[0].upstream: 'ftp://a' has the scheme ftp; an upstream speaks http or https",
        f"flags: rules[0].policy.allow_origins[0]: {slash}",
        "flags: rules[2].path: no request reaches this rule; one before it has the same host and path and wins",
    ]


def test_the_warnings_of_flags_name_what_they_are_about():
    config = Config(
        upstreams={},
        policies={"p": PolicyConfig(allow_origins=["*"])},
        rules=[RuleConfig(upstream="http://a", policy="none")],
    )
    assert [str(warning) for warning in compile_config(config).warnings] == [
        "command line: policies.p: no rule uses the policy 'p'; remove it, or name it in a rule"
    ]


@given(
    st.lists(st.tuples(st.sampled_from(["", "a.b", "*.b", "c.a.b"]), st.sampled_from(["/", "/x", "/x/y"])), min_size=1)
)
def test_two_rules_collide_exactly_when_host_and_path_are_the_same(rows):
    rules = "".join(f'  - {{host: "{host}", path: {path}, upstream: http://a, policy: none}}\n' for host, path in rows)
    try:
        table = load(f"rules:\n{rules}").table
    except InvalidConfig as invalid:
        lines = [problem.line for problem in invalid.problems]
    else:
        lines = []
        assert {(rule.host, rule.path) for rule in table.rules} == set(rows)
    assert lines == [index + 2 for index, row in enumerate(rows) if row in rows[:index]]


def test_nothing_is_read_but_the_arguments(monkeypatch):
    """The environment of the process is not the environment of a configuration."""
    monkeypatch.setenv("ONLY_IN_THE_PROCESS", "http://a")
    with pytest.raises(InvalidConfig, match=re.escape("ONLY_IN_THE_PROCESS is not set")):
        load("rules: [{upstream: '${ONLY_IN_THE_PROCESS}', policy: none}]")
