"""``corsproxy import``: what is read becomes exactly this table, and what cannot be read is listed.

That the options mean what these tables say is shown beside the real packages, in tests/apps/test_migration.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from corsproxy.config.load import load_config
from corsproxy.tools.importing.express_cors import read_express_cors
from corsproxy.tools.importing.flask_cors import read_flask_cors
from corsproxy.tools.importing.gateway_api import read_gateway_api
from corsproxy.tools.importing.imported import Imported, Unreadable
from corsproxy.tools.importing.nginx import read_nginx
from corsproxy.tools.importing.rule_table import as_config
from tests.documents import ROOT, Document, codes

CORS = Document(ROOT / "docs/cors.md")
MIGRATE = Document(ROOT / "docs/migrate.md")
APP = "https://myapp.com"
URL = "http://127.0.0.1:5000"

FLASK = "from flask import Flask\nfrom flask_cors import CORS, cross_origin\napp = Flask('app')\n"
EXPRESS = "const cors = require('cors');\nconst express = require('express');\nconst app = express();\n"
FLASK_DEFAULTS = {
    "allow_methods": ["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"],
    "allow_headers": "*",
}
EXPRESS_DEFAULTS = {"allow_methods": ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"], "allow_headers": "*"}


def nginx(text: str, folder: Path) -> Imported:
    file = folder / "nginx.conf"
    file.write_text(text)
    return read_nginx(str(file))


def table(imported: Imported) -> dict[str, Any]:
    """The configuration that is written, which loads."""
    text = as_config(imported, "source")
    load_config(text, "imported.yaml", {})
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def policies(imported: Imported) -> dict[str, Any]:
    """What each path's rule grants."""
    config = table(imported)
    named = config.get("policies", {})
    return {rule["path"]: named.get(rule["policy"], rule["policy"]) for rule in config["rules"]}


def remarks(imported: Imported) -> list[tuple[int, str]]:
    return [(remark.line, remark.message) for remark in imported.remarks]


def normal(policy: dict[str, Any]) -> dict[str, Any]:
    """A policy with every list as a list, and digits written in one way."""
    found = {}
    for key, value in policy.items():
        alone = isinstance(value, str) and value != "*" and key.startswith(("allow_", "expose_"))
        found[key] = value.replace(r"\d", "[0-9]") if key == "allow_origin_regex" else [value] if alone else value
    return found


# The tables of the documentation, which the tests beside the real packages prove


def documented(document: Document, heading: str) -> list[tuple[str, Any]]:
    rows = [(codes(theirs)[0], codes(ours)[0]) for theirs, ours, _ in document.table(heading) if ours != "none"]
    return [(theirs, yaml.safe_load(ours)) for theirs, ours in rows]


def with_origins(theirs: str, ours: dict[str, Any], written: str) -> tuple[str, dict[str, Any]]:
    if {"allow_origins", "allow_origin_regex"} & ours.keys():
        return theirs, ours
    return f"{written}, {theirs}", {"allow_origins": [APP], **ours}


@pytest.mark.parametrize(("theirs", "ours"), documented(CORS, "The cors package of Express"))
def test_an_option_of_express_is_read_as_the_documentation_says(theirs, ours):
    theirs, ours = with_origins(theirs, ours, f"origin: '{APP}'")
    imported = read_express_cors(f"{EXPRESS}app.use(cors({{{theirs}}}));", URL)
    if theirs.startswith(r"origin: /\."):  # it takes origins of others too, so people have to decide
        assert "not held at both ends" in imported.remarks[0].message
        assert not imported.rules
    else:
        assert normal(policies(imported)["/"]) == normal({**EXPRESS_DEFAULTS, **ours})
        assert not imported.remarks


@pytest.mark.parametrize(("theirs", "ours"), documented(CORS, "Flask-CORS"))
def test_an_option_of_flask_cors_is_read_as_the_documentation_says(theirs, ours):
    theirs, ours = with_origins(theirs, ours, f"origins={APP!r}")
    imported = read_flask_cors(f"{FLASK}CORS(app, {theirs})", URL)
    if theirs.startswith("origins=r"):  # it has no $, so that it takes origins of others too
        assert "not held at both ends" in imported.remarks[0].message
        imported = read_flask_cors(f"{FLASK}CORS(app, {theirs[:-1]}$')".replace('r"', "r'"), URL)
    if theirs != "send_wildcard=True":
        assert normal(policies(imported)["/"]) == normal({**FLASK_DEFAULTS, **ours})
    assert not imported.remarks


def test_the_example_of_nginx_is_read_as_the_documentation_says(tmp_path):
    (theirs,) = (block.text for block in MIGRATE.of("nginx"))
    (ours,) = (yaml.safe_load(block.text) for block in MIGRATE.of("yaml") if block.section == "nginx: add_header")
    imported = nginx(theirs, tmp_path)
    found = table(imported)
    (rule,), (documented_rule,) = found["rules"], ours["rules"]
    assert found["listen"] == [ours["listen"]]
    upstream = ours["upstreams"]["legacy"]
    assert found["upstreams"][rule["upstream"]]["url"] == upstream["url"]
    assert found["upstreams"][rule["upstream"]]["timeouts"]["response"] == upstream["timeouts"]["response"]
    assert normal(policies(imported)["/api"]) == normal(documented_rule["policy"])
    for named in ("policy", "upstream"):
        del rule[named], documented_rule[named]
    assert rule == documented_rule
    assert [message.split()[0] for _, message in remarks(imported)] == ["proxy_cookie_path", "proxy_redirect"]


# What is not read: (source, what is said of which line)

REFUSED_BY_FLASK = [
    ("CORS(app, supports_credentials=True)", "is refused: "),  # it echoes whoever asks
    ("CORS(app, origins=load())", "origins is not a literal but load()"),
    ("CORS(app, **options)", "unpacked from a mapping"),
    ("CORS(app, {**one})", None),  # its second argument is no option
    ("CORS(app, resources={r'/(a|b)/*': {}})", "is an expression"),
    ("CORS(app, origins=r'https://.*\\.myapp\\.com')", "not held at both ends"),
    ("CORS(app, origins=r'https://a\\.com|https://b\\.com$')", "alternatives outside of brackets"),
    ("CORS(app, origin='https://myapp.com')", "origin is no option of Flask-CORS"),
    ("CORS(app, allow_headers=['X-.*'])", "allow_headers has an expression"),
    ("CORS(app, max_age=AGE)", "max_age is not a literal but AGE"),
    ("O = ['https://a.com']\nO.append('https://b.com')\nCORS(app, origins=O)", "origins is not a literal but O"),
    ("O = 'https://a.com'\nO = 'https://b.com'\nCORS(app, origins=O)", "origins is not a literal but O"),
    ("@app.get('/<int:n>')\n@cross_origin()\ndef view(n): ...", "has a variable part"),
    ("@cross_origin()\ndef view(n): ...", "whose path is not written above it"),
]


@pytest.mark.parametrize(("source", "said"), [row for row in REFUSED_BY_FLASK if row[1]])
def test_flask_cors_that_cannot_be_read_is_listed_and_left_out(source, said):
    imported = read_flask_cors(FLASK + source, URL)
    text = as_config(imported, "app.py")
    assert said in imported.remarks[0].message
    assert "allow_origins" not in text


REFUSED_BY_EXPRESS = [
    ("app.use(cors({origin: true, credentials: true}))", "lets every page act as your users"),
    ("app.use(cors({origin: '*', credentials: true}))", "is refused: "),
    ("app.use(cors({origin: process.env.ORIGIN}))", "origin is not a literal but process.env.ORIGIN"),
    ("app.use(cors({origin(o, done) { done(null, true); }}))", "origin is not a literal but origin(o, done)"),
    ("app.use(cors((request, done) => done(null, {})))", "the argument of cors() is not a literal"),
    ("app.use(cors({...base}))", "has ...base in it"),
    ("app.use(cors({preflightContinue: true}))", "policy: none"),
    ("app.use(cors({origin: /myapp\\.com$/}))", "not held at both ends"),
    ("app.use(cors({origin: /^https:\\/\\/(?!evil)a\\.com$/}))", "is refused: "),  # no look-ahead in RE2
    ("app.get('/users/:id', cors({origin: 'https://a.com'}), f)", "is a pattern"),
    ("const r = express.Router(); r.use(cors({origin: 'https://a.com'}))", "cors() is used on r"),
    ("let o = {origin: 'https://a.com'}; o.origin = f(); app.use(cors(o))", "is not a literal but o"),
    ("app.use(cors({orgin: 'https://a.com'}))", "orgin is no option of cors"),
    ("app.use(cors({origin: 'https://a.com', maxAge: 0.5}))", "maxAge is not a literal"),
]


@pytest.mark.parametrize(("source", "said"), REFUSED_BY_EXPRESS)
def test_express_that_cannot_be_read_is_listed_and_left_out(source, said):
    imported = read_express_cors(EXPRESS + source, URL)
    text = as_config(imported, "app.js")
    assert said in imported.remarks[0].message
    assert "allow_origins" not in text


def location(inside: str, path: str = "/api/", outside: str = "") -> str:
    return f"{outside}\nserver {{ listen 8080; location {path} {{ proxy_pass http://127.0.0.1:8000; {inside} }} }}"


ALLOW = "add_header Access-Control-Allow-Origin"
REFUSED_BY_NGINX = [
    (location(f"{ALLOW} $http_origin;"), "echoes whoever asks"),
    (location(f"{ALLOW} $cors;"), "is no map of $http_origin"),
    (location(f"{ALLOW} $cors;", outside="map $http_origin $cors { default '*'; }"), "to every other origin"),
    (location(f"{ALLOW} $cors;", outside="map $http_origin $cors { ~myapp $http_origin; }"), "not held at both ends"),
    (
        location(f"{ALLOW} $cors;", outside="map $http_origin $cors { https://a.com https://b.com; }"),
        "gives https://b.com",
    ),
    (location(f"{ALLOW} '*'; add_header Access-Control-Allow-Credentials true;"), "is refused: "),
    (location(f"{ALLOW} https://a.com; {ALLOW} https://b.com;"), "added twice"),
    (location(f"if ($request_method = OPTIONS) {{ {ALLOW} https://a.com; return 204; }}"), "no single policy"),
    (location(f"{ALLOW} https://a.com; if ($request_method = OPTIONS) {{ return 204; }}"), None),  # it inherits
    (location(f"if ($http_origin ~ a) {{ {ALLOW} $http_origin; }}"), "under a condition of its own"),
    (location(f"{ALLOW} https://a.com;", path="~ ^/api"), "is no prefix"),
    (f"server {{ location / {{ root /srv; {ALLOW} https://a.com; }} }}", "has no proxy_pass"),
    (f"server {{ location / {{ proxy_pass http://$up; {ALLOW} https://a.com; }} }}", "has a variable"),
    (f"server {{ location /a/ {{ proxy_pass http://b/c; {ALLOW} https://a.com; }} }}", "whole segments"),
    (f"server {{ server_name ~^a; location / {{ proxy_pass http://b; {ALLOW} https://a.com; }} }}", "server_name"),
]


@pytest.mark.parametrize(("source", "said"), [row for row in REFUSED_BY_NGINX if row[1]])
def test_nginx_that_cannot_be_read_is_listed_and_left_out(source, said, tmp_path):
    imported = nginx(source, tmp_path)
    text = as_config(imported, "nginx.conf")
    assert any(said in message for _, message in remarks(imported))
    assert "allow_origins" not in text


def test_a_block_of_nginx_with_headers_of_its_own_has_only_those(tmp_path):
    """https://nginx.org/en/docs/http/ngx_http_headers_module.html#add_header, the best known of its traps."""
    text = f"""
server {{
  listen 8080; {ALLOW} https://a.com;
  location / {{ proxy_pass http://127.0.0.1:1; }}
  location /own/ {{ proxy_pass http://127.0.0.1:1; add_header X-A 1; }}
}}"""
    found = policies(nginx(text, tmp_path))
    assert found == {"/": {"allow_origins": ["https://a.com"]}, "/own": "none"}


def test_a_star_beside_credentials_names_nobody_in_nginx(tmp_path):
    inside = f"{ALLOW} https://a.com; add_header Access-Control-Allow-Credentials true;"
    imported = nginx(location(f"{inside} add_header Access-Control-Allow-Headers *;"), tmp_path)
    assert policies(imported)["/api"] == {"allow_origins": ["https://a.com"], "allow_credentials": True}


def test_what_stands_in_an_included_file_is_told_with_its_name(tmp_path):
    (tmp_path / "site.conf").write_text("server { location / { proxy_pass http://a; gzip on; } }")
    imported = nginx("http { include site.conf; }", tmp_path)
    assert imported.remarks[0].file.endswith("site.conf")
    assert policies(imported) == {"/": "none"}


def route(rule: dict[str, Any], **spec: Any) -> Imported:
    rules = [{"backendRefs": [{"name": "api"}], **rule}]
    return read_gateway_api(json.dumps({"kind": "HTTPRoute", "spec": {"rules": rules, **spec}}))


def cors(**fields: Any) -> dict[str, Any]:
    return {"filters": [{"type": "CORS", "cors": fields}]}


REFUSED_OF_A_ROUTE = [
    ({"matches": [{"method": "GET"}]}, "the match looks at the method"),
    ({"matches": [{"queryParams": [{"name": "a", "value": "b"}]}]}, "the match looks at the query"),
    ({"matches": [{"path": {"type": "RegularExpression", "value": "/a.*"}}]}, "type RegularExpression"),
    ({"filters": [{"type": "RequestMirror"}]}, "the filter RequestMirror"),
    ({"filters": [{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath"}}}]}, "to another one"),
    ({"backendRefs": []}, "no backendRefs"),
    ({"backendRefs": [{"name": "a", "weight": 1}, {"name": "b", "weight": 9}]}, "different weights"),
    ({"backendRefs": [{"name": "a", "kind": "Bucket"}]}, "only a Service"),
    ({"backendRefs": [{"name": "a", "filters": [{}]}]}, "filters of its own"),
    ({"timeouts": {"request": "1h30m"}}, "several units"),
    ({"sessionPersistence": {}}, "sessionPersistence of a rule"),
    (cors(allowOrigins=["*"], allowCredentials=True), "is refused: "),
    (cors(allowOrigin=["https://a.com"]), "allowOrigin of the CORS filter"),
]


@pytest.mark.parametrize(("rule", "said"), REFUSED_OF_A_ROUTE)
def test_a_route_that_cannot_be_read_is_listed_and_left_out(rule, said):
    imported = route(rule)
    assert "allow_origins" not in as_config(imported, "route.yaml")
    assert said in imported.remarks[0].message


def test_a_route_with_everything_that_a_rule_can_say():
    imported = route(
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/orders/"}}],
            "filters": [
                {"type": "CORS", "cors": {"allowOrigins": ["https://*.myapp.com"], "exposeHeaders": ["X-A"]}},
                {
                    "type": "URLRewrite",
                    "urlRewrite": {
                        "hostname": "a.internal",
                        "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"},
                    },
                },
                {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "X-B", "value": "1"}]}},
                {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"remove": ["Server"]}},
            ],
            "backendRefs": [{"name": "a", "port": 81}, {"name": "b", "namespace": "n"}],
            "timeouts": {"request": "0s", "backendRequest": "10s"},
        },
        hostnames=["api.example.com"],
    )
    assert table(imported) == {
        "policies": {"pages": {"allow_origins": ["https://*.myapp.com"], "expose_headers": ["X-A"], "max_age": 5}},
        "upstreams": {
            "upstream": {
                "urls": ["http://a.default.svc:81", "http://b.n.svc"],
                "timeouts": {"total": "none", "response": "10s"},
            }
        },
        "rules": [
            {
                "path": "/orders",
                "upstream": "upstream",
                "policy": "pages",
                "host": "api.example.com",
                "forward_host": "a.internal",
                "strip_prefix": True,
                "headers": {"request": {"set": {"X-B": "1"}}, "response": {"remove": ["Server"]}},
            }
        ],
    }


# Wider, shared, repeated


def test_a_single_route_is_told_to_be_wider():
    imported = read_express_cors(f"{EXPRESS}app.get('/one', cors({{origin: '{APP}'}}), f)", URL)
    assert policies(imported)["/one"]["allow_origins"] == [APP]
    assert remarks(imported)[0] == (
        4,
        "wider: the rule takes every method, and every path below /one too, not only this route",
    )


def test_a_preflight_route_of_the_same_options_is_no_news():
    imported = read_express_cors(
        f"{EXPRESS}const o = {{origin: '{APP}'}};app.use(cors(o));app.options('*', cors(o))", URL
    )
    assert list(policies(imported)) == ["/"]
    assert not imported.remarks


@pytest.mark.parametrize("order", [("'/api', ", ""), ("", "'/api', ")])
def test_where_two_run_the_answers_are_left_to_the_application(order):
    uses = "".join(f"app.use({path}cors({{origin: 'https://{n}.com'}}));" for n, path in enumerate(order))
    imported = read_express_cors(EXPRESS + uses, URL)
    assert policies(imported)["/api"] == "none"
    assert policies(imported)["/"]["allow_origins"]
    assert "another cors() runs" in imported.remarks[0].message


@pytest.mark.parametrize("unread", ["$http_origin", "'*' always; add_header Access-Control-Allow-Credentials true"])
def test_a_path_whose_policy_is_not_read_is_no_part_of_a_broader_one(unread, tmp_path):
    """Without a rule of its own, pages would get there what they get around it."""
    wide = f"location / {{ proxy_pass http://a; {ALLOW} '*'; }}"
    imported = nginx(f"server {{ {wide} location /admin/ {{ proxy_pass http://a; {ALLOW} {unread}; }} }}", tmp_path)
    assert policies(imported) == {"/": {"allow_origins": "*"}, "/admin": "none"}
    assert len(imported.remarks) == 1


def test_a_resource_that_is_not_read_is_no_part_of_a_broader_one():
    text = "CORS(app, resources={'/*': {'origins': '*'}, '/admin/*': {'origins': load()}})"
    imported = read_flask_cors(f"{FLASK}{text}", URL)
    assert imported.rules == []  # the whole argument is no literal
    text = "CORS(app, resources={'/*': {'origins': '*'}, '/admin/*': {'origins': 'https://.*'}})"
    assert policies(read_flask_cors(f"{FLASK}{text}", URL))["/admin"] == "none"


def test_two_rules_for_one_place_are_not_written():
    text = "CORS(app, resources={'/a/*': {'origins': 'https://a.com'}, r'/a/.*': {'origins': 'https://b.com'}})"
    imported = read_flask_cors(FLASK + text, URL)
    assert policies(imported)["/a"]["allow_origins"] == ["https://a.com"]
    assert "is refused" in imported.remarks[0].message


@pytest.mark.parametrize("read", [read_flask_cors, read_express_cors])
def test_a_text_in_another_language_is_said_to_be_one(read):
    with pytest.raises(Unreadable, match=r"no (Python|JavaScript)"):
        read("<html><script>cors()", URL)


def test_nothing_is_ever_put_in_place_of_what_was_read(tmp_path):
    """``${NAME}`` is the environment's here, and a plain text there."""
    imported = nginx(location("proxy_set_header X-Key 'a{b'; add_header X-A '{HOME}';"), tmp_path)
    imported.rules[0][1]["headers"]["request"]["set"]["X-Key"] = "${HOME}"
    config = load_config(as_config(imported, "nginx.conf"), "imported.yaml", {"HOME": "secret"})
    assert config.config.rules[0].headers.request.set == {"X-Key": "${HOME}"}


# Every policy that can be said there is read as itself

_NAMES = st.lists(st.sampled_from(["X-A", "X-B", "Content-Type", "Authorization"]), min_size=1, max_size=3, unique=True)
_METHODS = st.lists(st.sampled_from(["GET", "PUT", "DELETE", "PATCH"]), min_size=1, max_size=4, unique=True)
_ORIGINS = st.lists(
    st.sampled_from(["https://a.com", "https://b.example:8443", "http://localhost:3000"]), min_size=1, unique=True
)
POLICIES = st.fixed_dictionaries(
    {"allow_origins": _ORIGINS, "allow_methods": _METHODS, "allow_headers": _NAMES},
    optional={"expose_headers": _NAMES, "max_age": st.integers(1, 86400)},
)


@settings(max_examples=20)
@given(POLICIES)
def test_a_policy_in_any_of_their_languages_is_read_as_itself(tmp_path_factory, policy):
    aged = {"max_age": 5, **policy}  # the Gateway API's default
    assert policies(read_flask_cors(as_flask(policy), URL))["/api"] == policy
    assert policies(read_express_cors(as_express(policy), URL))["/api"] == policy
    assert policies(nginx(as_nginx(policy), tmp_path_factory.mktemp("nginx")))["/api"] == policy
    assert policies(as_route(policy))["/"] == aged


def as_flask(policy: dict[str, Any]) -> str:
    options = {
        key.replace("allow_origins", "origins").replace("allow_methods", "methods"): v for key, v in policy.items()
    }
    return f"{FLASK}CORS(app, resources={{'/api/*': {options!r}}})"


def as_express(policy: dict[str, Any]) -> str:
    names = {
        "allow_origins": "origin",
        "allow_methods": "methods",
        "allow_headers": "allowedHeaders",
        "expose_headers": "exposedHeaders",
        "max_age": "maxAge",
    }
    return f"{EXPRESS}app.use('/api', cors({json.dumps({names[key]: value for key, value in policy.items()})}))"


def as_nginx(policy: dict[str, Any]) -> str:
    names = {
        "allow_methods": "Allow-Methods",
        "allow_headers": "Allow-Headers",
        "expose_headers": "Expose-Headers",
        "max_age": "Max-Age",
    }
    values = {key: ", ".join(value) if isinstance(value, list) else value for key, value in policy.items()}
    lines = "".join(f"add_header Access-Control-{names[key]} '{values[key]}';" for key in names if key in values)
    entries = "".join(f"'{origin}' $http_origin;" for origin in policy["allow_origins"])
    return location(f"{ALLOW} $cors; {lines}", outside=f"map $http_origin $cors {{ {entries} }}")


def as_route(policy: dict[str, Any]) -> Imported:
    names = {
        "allow_origins": "allowOrigins",
        "allow_methods": "allowMethods",
        "allow_headers": "allowHeaders",
        "expose_headers": "exposeHeaders",
        "max_age": "maxAge",
    }
    return route(cors(**{names[key]: value for key, value in policy.items()}))
