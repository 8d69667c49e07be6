"""What is wrong with a configuration: all of it at once, each where it stands, with the smallest correction.

Each row is a text and the exact list of what is said.  ``RULES`` is a table that is well, for rows about other parts.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.load import load_config
from corsproxy.errors import InvalidConfig

RULES = "rules: [{upstream: http://a, policy: none}]\n"


def problems_of(text: str, environment=None) -> list[str]:
    """Every problem of a text as it is printed; [] for a configuration that may run."""
    try:
        load_config(text, "c", environment or {})
    except InvalidConfig as invalid:
        return [str(problem) for problem in invalid.problems]
    return []


def said(text: str, *problems: str):
    """A row of a table, called by its first problem."""
    return pytest.param(text, [f"c:{problem}" for problem in problems], id=problems[0][:60])


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        said(
            f"{RULES}polices: {{}}\n",
            "2:1: unknown key 'polices'; did you mean 'policies'?\n    policies:",
        ),
        said(
            "rules:\n  - upsteam: http://a\n    policy: none\n",
            "2:5: unknown key 'upsteam'; did you mean 'upstream'?\n    upstream:",
        ),
        said(
            "rules:\n  - target: http://a\n    policy: none\n    stripPrefix: true\n",
            "2:5: unknown key 'target'; did you mean 'upstream'?\n    upstream:",
            "4:5: unknown key 'stripPrefix'; did you mean 'strip_prefix'?\n    strip_prefix:",
        ),
        said(
            "rules:\n  - upstream: http://a\n    policy: {origins: '*', supports-credentials: false, maxAge: 5}\n",
            "3:14: unknown key 'origins'; did you mean 'allow_origins'?\n    allow_origins:",
            "3:28: unknown key 'supports-credentials'; did you mean 'allow_credentials'?\n    allow_credentials:",
            "3:57: unknown key 'maxAge'; did you mean 'max_age'?\n    max_age:",
        ),
        said(
            "rules:\n  - upstream: http://a\n    upsteam: http://b\n    policy: none\n",
            "3:5: unknown key 'upsteam'; 'upstream' stands here already, so remove this one",
        ),
        said(
            "rules:\n  - upstream: http://a\n    policy: none\n    allow_origins: '*'\n    zzz: 1\n",
            "4:5: 'allow_origins' is no key of a rule; it belongs to a policy",
            "5:5: unknown key 'zzz'; the keys of a rule are path, host, upstream, policy, strip_prefix, upstream_cors,"
            " forward_host, forward_origin, headers, cookies, limits, shadow, dangerously_share_credentials",
        ),
        said(
            "rules:\n  - upstream: http://a\n    policy: none\n    headers: {request: {replace: {}}}\n",
            "4:25: unknown key 'replace'; the keys of changes to headers are set, add, remove",
        ),
        said(
            f"{RULES}limits: {{max_conections: 5, zeal: 3s}}\n",
            "2:10: unknown key 'max_conections'; did you mean 'max_connections'?\n    max_connections:",
            "2:29: unknown key 'zeal'; the keys of limits are request_head_timeout, request_body_timeout,"
            " keepalive_timeout, max_request_head, max_target, max_request_headers, max_request_body,"
            " max_response_body, max_connections, max_connections_per_client",
        ),
    ],
)
def test_unknown_keys(text, problems):
    """The nearest known key, else where the key belongs, else the keys that there are."""
    assert problems_of(text) == problems


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        said(
            "listen: 127.0.0.1:8080\n",
            "1:1: the configuration needs the key 'rules'\n"
            "    rules: [{path: /, upstream: http://127.0.0.1:8000, policy: none}]",
        ),
        said(
            "rules:\n  - path: /\n",
            "2:5: a rule needs the key 'upstream'\n    upstream: http://127.0.0.1:8000",
            "2:5: a rule needs the key 'policy'\n    policy: none",
        ),
        said(
            f"{RULES}listen: {{tls: {{cert: a}}}}\n",
            "2:1: a listener needs the key 'address'\n    address: 127.0.0.1:8080",
            "2:10: tls needs the key 'key'\n    key: /etc/corsproxy/key.pem",
        ),
        said(f"{RULES}request_id: {{}}\n", "2:1: request_id needs the key 'header'\n    header: X-Request-Id"),
        said("rules: []\n", "1:1: there are no rules, so nothing would be served; add one"),
        said(f"{RULES}upstreams: {{a: {{}}}}\n", "2:13: an upstream needs a url\n    url: http://127.0.0.1:8000"),
        said(f"{RULES}listen: []\n", "2:1: there is no listener\n    listen: 127.0.0.1:8080"),
        said(
            f"{RULES}policies: {{a: {{allow_methods: [PUT]}}}}\n",
            "2:12: no origin is allowed; list at least one, or use policy: none to forward without CORS",
        ),
    ],
)
def test_missing_keys(text, problems):
    assert problems_of(text) == problems


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        said(f"{RULES}limits:\n", "2:1: nothing is written after 'limits'; give it a value, or remove it"),
        said(
            f"{RULES}policies: {{a: ~}}\n",
            '2:15: ~ without quotes is YAML\'s word for nothing; put it in quotes\n    a: "~"',
        ),
        said(
            f"{RULES}policies: {{a: {{allow_origins: [null]}}}}\n",
            '2:32: null without quotes is YAML\'s word for nothing; put it in quotes\n    "null"',
        ),
        said(
            f"{RULES}policies:\n  a:\n    allow_origins:\n      - null\n      -\n",
            '5:9: null without quotes is YAML\'s word for nothing; put it in quotes\n    - "null"',
            "6:8: nothing is written in this entry; give it a value, or remove it",
        ),
        said(f"{RULES}policies: [a]\n", "2:1: this must be a mapping, not a list"),
        said(f"{RULES}policies: {{a: b}}\n", "2:15: this must be a mapping, not 'b'"),
        said("rules: {path: /}\n", "1:1: this must be a list, not a mapping"),
        said("rules: all\n", "1:8: this must be a list, not 'all'"),
        said("rules: [a]\n", "1:9: this must be a mapping, not 'a'"),
        said(
            "rules:\n  - upstream: http://a\n    policy: {allow_origins: 5, allow_credentials: yes}\n",
            "3:29: this must be a list, not 5",
            "3:51: this must be true or false, not 'yes'\n    allow_credentials: true",
        ),
        said(
            "rules:\n  - upstream: http://a\n    policy: none\n    strip_prefix: off\n"
            "    cookies: {secure: 1, partitioned: maybe}\n",
            "4:19: this must be true or false, not 'off'\n    strip_prefix: false",
            "5:23: this must be true or false, not 1\n    secure: true",
            "5:39: this must be true or false, not 'maybe'",
        ),
        said(
            "rules:\n  - upstream: {url: http://a}\n    policy: [none]\n",
            "2:5: this must be text, not a mapping",
            "3:5: this must be text, not a list",
        ),
        said(
            "rules:\n  - upstream: http://a\n    policy: none\n"
            "    headers: {request: {set: {X-A: 5, X-B: true}, add: {X-C: [a, 1]}, remove: [7]}}\n",
            '4:36: this must be text, not 5; put it in quotes\n    X-A: "5"',
            '4:44: this must be text, not true; put it in quotes\n    X-B: "true"',
            '4:66: this must be text, not 1; put it in quotes\n    "1"',
            '4:80: this must be text, not 7; put it in quotes\n    "7"',
        ),
        said(
            f"{RULES}policies:\n"
            "  a: {allow_origins: '*', preflight_status: 404}\n  b: {allow_origins: '*', preflight_status: ok}\n",
            "3:45: 404 is out of range; it must be at most 299",
            "4:45: this must be a whole number, not 'ok'",
        ),
        said(
            f"{RULES}policies:\n  a:\n    allow_origins: '*'\n"
            "    on_denied: block\n    cross_origin_resource_policy: same_site\n",
            "5:16: 'block' is not known here; write forward or reject",
            "6:35: 'same_site' is not known here; write same-origin, same-site or cross-origin\n"
            "    cross_origin_resource_policy: same-site",
        ),
        said(
            f"{RULES}limits: {{max_connections: 0, keepalive_timeout: 10min,"
            " max_request_head: 1KB, request_head_timeout: none}\n",
            "2:27: 0 is out of range; it must be at least 1",
            "2:49: 10min is no duration; the units are ms, s, m, h and d\n    keepalive_timeout: 10m",
            "2:74: '1KB' is not between 1KiB and 16MiB; most clients need less than 16KiB\n    max_request_head: 64KiB",
            "2:101: this limit cannot be lifted; write a duration\n    request_head_timeout: 1h",
        ),
        said(
            f"{RULES}limits: {{request_body_timeout: 0, max_request_body: 10x}}\n",
            "2:32: this limit cannot be zero; write a duration\n    request_body_timeout: 1s",
            "2:53: 10x is no size; the units are B, KB, MB, GB, KiB, MiB and GiB",
        ),
        said(
            f"{RULES}policies: {{a: {{allow_origins: '*', max_age: 0.5}}, b: {{allow_origins: '*', max_age: 2d}}}}\n",
            "2:45: 0.5 is no whole number of seconds; a browser is told no less\n    max_age: 1s",
            "2:84: 172800 seconds is longer than any browser caches a preflight; Firefox caps it at 24h,"
            " Chromium at 2h\n"
            "    max_age: 24h",
        ),
    ],
)
def test_wrong_values(text, problems):
    assert problems_of(text) == problems


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        said(f"{RULES}listen: 8080\n", "2:9: 8080 is only a port; say on which address\n    listen: 127.0.0.1:8080"),
        said(
            f"{RULES}listen:\n  - 8080\n  - :80\n  - {{address: 443, tls: {{cert: '', key: k, client_ca: ''}}}}\n",
            "3:5: 8080 is only a port; say on which address\n    - 127.0.0.1:8080",
            "4:5: ':80' is every interface of this machine; say so, or name one\n    - 0.0.0.0:80",
            "5:15: 443 is only a port; say on which address\n    address: 127.0.0.1:443",
            "5:32: the path of a file is missing",
            "5:55: the path of a file is missing",
        ),
        said(
            f"{RULES}listen: [a:80, 'b:80', a:80, 'a:0', 'a:0']\nadmin: b:80\n",
            "2:24: a:80 is listened at twice; remove one of them",
            "3:8: b:80 is listened at for clients already; choose another address",
        ),
        said(f"{RULES}admin: false\n", "2:8: false is no address; write host:port, unix:/path or off\n    admin: off"),
        said(f"{RULES}admin: 9901\n", "2:8: 9901 is only a port; say on which address\n    admin: 127.0.0.1:9901"),
        said(f"{RULES}admin: localhost\n", "2:8: 'localhost' has no port; write host:port"),
        said(
            f"{RULES}listen: [systemd:web, systemd:api, systemd:web, 'systemd:a b']\nadmin: systemd\n",
            "2:36: systemd:web is listened at twice; remove one of them",
            "2:49: 'a b' is no name of a socket; write the FileDescriptorName of its unit, as in systemd:web",
            "3:8: systemd is listened at for clients already; choose another address",
        ),
        said(
            f"{RULES}listen:\n  - {{address: 'unix:/a', mode: '999'}}\n  - {{address: 'a:80', mode: '0660'}}\n",
            "3:32: '999' is no mode of a socket; write it in octal digits, in quotes\n    mode: \"0660\"",
            "4:29: only the file of a unix socket has permissions; remove mode",
        ),
        said(
            f"{RULES}listen:\n  - {{address: 'a:80', proxy_protocol: true}}\n",
            "3:39: proxy_protocol lets trusted proxies in and nobody else, and none is trusted; list them\n"
            "    trusted_proxies: [10.0.0.0/8]",
        ),
        said(
            f"{RULES}trusted_proxies: 10.0.0.0/8\nlisten: {{address: 'unix:/a', proxy_protocol: true}}\n",
            "3:46: a unix socket has no address that could be trusted; use PROXY protocol over TCP, or X-Forwarded-For",
        ),
        said(
            f"{RULES}trusted_proxies: [10.0.0.1/8, '*']\n",
            "2:19: '10.0.0.1/8' is an address inside a network; write the network, or the address alone\n"
            "    10.0.0.0/8",
            "2:31: '*' is no network; write it like 10.0.0.0/8 or 10.1.2.3",
        ),
        said(
            f"{RULES}trusted_proxies: proxy.internal\n",
            "2:18: 'proxy.internal' is no network; write it like 10.0.0.0/8 or 10.1.2.3",
        ),
    ],
)
def test_listeners(text, problems):
    assert problems_of(text) == problems


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        said(
            "upstreams: {orders: {url: http://a}}\nrules: [{upstream: ordrs, policy: none}]\n",
            "2:20: unknown upstream 'ordrs'; did you mean 'orders'?\n    upstream: orders",
        ),
        said(
            "upstreams: {orders: {url: http://a}, users: {url: http://b}}\nrules: [{upstream: zzz, policy: none}]\n",
            "2:20: unknown upstream 'zzz'; there are orders, users",
        ),
        said(
            "upstreams:\n"
            + "".join(f"  n{number}: {{url: http://a}}\n" for number in range(9))
            + "rules: [{upstream: zzz, policy: none}]\n",
            "11:20: unknown upstream 'zzz'; there are n0, n1, n2, n3, n4, n5, n6, n7, ...",
        ),
        said(
            "rules: [{upstream: orders, policy: none}]\n",
            "1:20: unknown upstream 'orders'; declare it under upstreams",
        ),
        said(
            "rules: [{upstream: 'localhost:8000', policy: none}]\n",
            "1:20: 'localhost:8000' is no URL without a scheme\n    upstream: http://localhost:8000",
        ),
        said(
            "rules: [{upstream: api.example.com/v1, policy: none}]\n",
            "1:20: 'api.example.com/v1' is no URL without a scheme\n    upstream: http://api.example.com/v1",
        ),
        said(
            "rules: [{upstream: api.example.com, policy: none}]\n",
            "1:20: 'api.example.com' is no URL without a scheme\n    upstream: http://api.example.com",
        ),
        said(
            "upstreams: {api.v1.orders: {url: http://a}}\nrules: [{upstream: api.v1.order, policy: none}]\n",
            "2:20: unknown upstream 'api.v1.order'; did you mean 'api.v1.orders'?\n    upstream: api.v1.orders",
        ),
        said(
            "rules: [{upstream: '*:80', policy: none}]\n",
            "1:20: 'http://*:80' has no valid host; write a host name or an IP address",
        ),
        said(
            "rules: [{upstream: 'user:secret@api.example.com', policy: none}]\n",
            "1:20: a URL must hold no user name or password; set Authorization under headers.request of the rule",
        ),
        said("rules: [{upstream: '', policy: none}]\n", "1:20: unknown upstream ''; declare it under upstreams"),
        said(
            "rules:\n  - {path: /a, upstream: 'ws://a', policy: none}\n"
            "  - {path: /b, upstream: 'ws://a', policy: none}\n",
            "2:26: 'ws://a' has the scheme ws; write http, WebSockets included\n    upstream: http://a",
        ),
        said(
            "upstreams:\n  a: {url: http://a, urls: [http://b]}\n  b:\n    urls:\n      - http://a/x\n"
            "      - http://b/y\n      - http://a/x/\n" + RULES,
            "2:22: an upstream has either url or urls; list all of them under urls",
            "6:9: 'http://b/y' has another base path than the first; they must be alike",
            "7:9: 'http://a/x/' is listed twice; remove one of them",
        ),
        said(
            "upstreams:\n  a: {url: http://a, tls: {ca: ''}}\n  b: {url: https://a, tls: {key: k, verify: yes}}\n"
            "  c: {url: https://a, tls: {cert: c, key: '', server_name: 'a:1'}}\n"
            "  d: {url: https://a, tls: {ca: c, verify: false}}\n" + RULES,
            "2:22: no URL of this upstream begins with https, so there is no TLS to set up",
            "2:32: the path of a file is missing",
            "3:34: a key without a certificate proves nothing; add cert",
            "3:45: this must be true or false, not 'yes'\n    verify: true",
            "4:43: the path of a file is missing",
            "4:60: 'a:1' has a port; certificates name hosts\n    server_name: a",
            "5:44: with false nothing would be verified by ca; remove one of them",
        ),
        said(
            "upstreams: {a/b: {url: http://a}, c: {url: http://a, timeouts: {connect: soon}}}\n" + RULES,
            "1:13: 'a/b' is no name; use letters, digits, hyphens, dots and underscores",
            "1:74: 'soon' is no duration; write 90s, 10m, 2h or a number of seconds",
        ),
    ],
)
def test_upstreams(text, problems):
    assert problems_of(text) == problems


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        said(
            "policies: {web: {allow_origins: '*'}}\nrules: [{upstream: http://a, policy: wbe}]\n",
            "2:38: unknown policy 'wbe'; did you mean 'web'?\n    policy: web",
        ),
        said(
            "policies: {web: {allow_origins: '*'}}\nrules: [{upstream: http://a, policy: None}]\n",
            "2:38: unknown policy 'None'; did you mean 'none'?\n    policy: none",
        ),
        said(
            "policies: {web: {allow_origins: '*'}}\nrules: [{upstream: http://a, policy: strict}]\n",
            "2:38: unknown policy 'strict'; there are web",
        ),
        said(
            "rules: [{upstream: http://a, policy: strict}]\n",
            "1:38: unknown policy 'strict'; declare it under policies",
        ),
        said(
            f"policies: {{none: {{allow_origins: '*'}}, a b: {{allow_origins: '*'}}}}\n{RULES}",
            "1:12: the name 'none' means no policy; choose another one",
            "1:40: 'a b' is no name; use letters, digits, hyphens, dots and underscores",
        ),
        said(
            "policies:\n  web:\n    allow_origins:\n      - https://app.example.com/\n"
            "      - https://app.example.com:443\n"
            "      - HTTPS://App.example.com\n      - app.example.com\n" + RULES,
            "4:9: 'https://app.example.com/' has a trailing slash; write it byte for byte as browsers send it\n"
            "    - https://app.example.com",
            "5:9: 'https://app.example.com:443' has the default port of its scheme; write it byte for byte as"
            " browsers send it\n"
            "    - https://app.example.com",
            "6:9: 'HTTPS://App.example.com' has upper-case letters; write it byte for byte as browsers send it\n"
            "    - https://app.example.com",
            "7:9: 'app.example.com' has no scheme; write it byte for byte as browsers send it\n"
            "    - https://app.example.com",
        ),
        said(
            "rules:\n  - upstream: http://a\n"
            "    policy: {allow_origins: [https://app.example.com/, 'null'], allow_methods: [put]}\n",
            "3:30: 'https://app.example.com/' has a trailing slash; write it byte for byte as browsers send it\n"
            "    https://app.example.com",
            "3:56: null is the origin of any sandboxed frame on any site; set dangerously_allow_null if that is meant\n"
            "    dangerously_allow_null: true",
            "3:81: 'put' never matches, since methods are case-sensitive; write it in upper case\n    PUT",
        ),
        said(
            f"policies:\n  a:\n    allow_origins: '*'\n    allow_credentials: true\n{RULES}",
            "3:20: '*' with credentials lets every site on the web act as your users; list the origins, or leave"
            " allow_credentials out\n    allow_credentials: false",
        ),
    ],
)
def test_policies(text, problems):
    """What the engine refuses is reported where it stands, among all the rest."""
    assert problems_of(text) == problems


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        said(
            "rules:\n  - {path: /a, upstream: http://a, policy: none}\n"
            "  - {path: /a, upstream: http://b, policy: none}\n",
            "3:12: no request reaches this rule; the one in line 2 has the same host and path and wins",
        ),
        said(
            "rules:\n  - {upstream: http://a, policy: none}\n  - {path: /, upstream: http://b, policy: none}\n"
            "  - {host: a.b, upstream: http://b, policy: none}\n  - {host: a.b., upstream: http://b, policy: none}\n",
            "3:12: no request reaches this rule; the one in line 2 has the same host and path and wins",
            "5:5: no request reaches this rule; the one in line 4 has the same host and path and wins",
        ),
        said(
            "rules:\n  - {path: orders/, host: 'A.b:80', upstream: http://a, policy: none}\n",
            "2:12: 'orders/' does not begin with a slash\n    path: /orders/",
            "2:27: 'A.b:80' has a port; a rule takes a host's requests at every port\n    host: A.b",
        ),
        said(
            "rules:\n  - {upstream: http://a, policy: none, upstream_cors: replace}\n",
            "2:55: without a policy there is nothing to replace the upstream's CORS headers with\n"
            "    upstream_cors: keep",
        ),
        said(
            "rules:\n  - {upstream: http://a, policy: none, forward_host: 'http://b/', forward_origin: 'https://b/'}\n",
            "2:54: 'http://b/' is more than a host\n    forward_host: b",
            "2:83: 'https://b/' has a trailing slash; write it byte for byte as browsers send it\n"
            "    forward_origin: https://b",
        ),
        said(
            "limits: {max_request_body: 1MiB, request_body_timeout: 10s}\nrules:\n"
            "  - {path: /a, upstream: http://a, policy: none, limits: {max_request_body: 2MiB,"
            " request_body_timeout: none}}\n",
            "3:77: a rule may only narrow the listeners' limit; raise max_request_body under limits, or lower it here",
            "3:105: a rule may only narrow the listeners' limit; raise request_body_timeout under limits, or"
            " lower it here",
        ),
        said(
            "rules:\n  - upstream: http://a\n    policy: none\n"
            "    cookies: {same_site: None, secure: false, partitioned: true, domain: .a.com, path: x}\n",
            "4:26: 'None' is not known here; write none, lax or strict\n    same_site: none",
            "4:40: browsers refuse such a cookie without Secure\n    secure: true",
            "4:74: '.a.com' begins with a dot, which has meant nothing since RFC 6265\n    domain: a.com",
            "4:88: 'x' is no path of a cookie; begin it with a slash, and escape what is not ASCII",
        ),
        said(
            "rules:\n  - upstream: http://a\n    policy: none\n    headers:\n"
            '      request: {set: {Host: b, "a b": c}, add: {Origin: x}, remove: [Via, Connection]}\n'
            '      response: {set: {Access-Control-Allow-Origin: "*", X-A: " b"}, add: {VARY: x}, remove: [X-A,'
            " Timing-Allow-Origin]}\n",
            "5:23: 'Host' belongs to the connection and is written by the proxy; leave it out",
            "5:32: 'a b' is no field name; use letters, digits and hyphens",
            "5:49: 'Origin' is not set here; forward_origin decides on it",
            "5:70: 'Via' is not set here; the proxy writes it",
            "5:75: 'Connection' belongs to the connection and is written by the proxy; leave it out",
            "6:24: 'Access-Control-Allow-Origin' is not set here; the policy decides on it",
            "6:58: 'X-A' has a value with white space around it, which recipients cut off; remove it",
            "6:58: 'X-A' is set and removed, or set twice; keep one of the two",
            "6:76: 'VARY' is not set here; the proxy merges what the upstream and the policy need",
            "6:100: 'Timing-Allow-Origin' is not set here; timing_allow_origins of the policy decides on it",
        ),
    ],
)
def test_rules(text, problems):
    assert problems_of(text) == problems


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        said(
            # the origins of the misspelt key are judged as well
            "rules:\n  - upstream: http://a\n    policy: {allow_orgins: [https://a.com/], max-age: soon}\n",
            "3:14: unknown key 'allow_orgins'; did you mean 'allow_origins'?\n    allow_origins:",
            "3:29: 'https://a.com/' has a trailing slash; write it byte for byte as browsers send it\n"
            "    https://a.com",
            "3:46: unknown key 'max-age'; did you mean 'max_age'?\n    max_age:",
            "3:55: 'soon' is no duration; write 90s, 10m, 2h or a number of seconds",
        ),
        said(
            # two keys that mean the same: one of them is taken
            "rules:\n  - upstream: http://a\n    policy: {allow_origin: https://a.com, alow_origins: https://b.com}\n",
            "3:14: unknown key 'allow_origin'; did you mean 'allow_origins'?\n    allow_origins:",
            "3:43: unknown key 'alow_origins'; did you mean 'allow_origins'?\n    allow_origins:",
        ),
        said(
            # a list or mapping that lost something is not called empty
            f"{RULES}policies: {{a: {{allow_origins: [5]}}, b: {{allow_origin_regex: [x]}}}}\n"
            "upstreams: {c: {url: 5}, d: {urls: [7]}}\nlisten: [{address: []}]\n",
            '2:32: this must be text, not 5; put it in quotes\n    "5"',
            "2:41: this must be text, not a list",
            '3:22: this must be text, not 5; put it in quotes\n    url: "5"',
            '3:37: this must be text, not 7; put it in quotes\n    "7"',
            "4:11: this must be text, not a list",
        ),
        said(
            # what is declared and unusable is declared
            "policies: {web: 5}\nupstreams: {a: 5}\n"
            "rules: [{upstream: a, policy: web}, {path: /b, upstream: a, policy: we}]\n",
            "1:17: this must be a mapping, not 5",
            "2:16: this must be a mapping, not 5",
            "3:69: unknown policy 'we'; did you mean 'web'?\n    policy: web",
        ),
        said(
            # where all declarations are unusable, no name is called unknown
            "policies: 5\nupstreams: []\nrules: [{upstream: a, policy: web}]\n",
            "1:11: this must be a mapping, not 5",
            "2:1: this must be a mapping, not a list",
        ),
        said(
            # a rule whose path is not known is not compared with the others
            "rules:\n  - {path: 5, upstream: http://a, policy: none}\n  - {upstream: http://a, policy: none}\n"
            "  - {paht: 5, upstream: http://a, policy: 7}\n",
            '2:12: this must be text, not 5; put it in quotes\n    path: "5"',
            "4:6: unknown key 'paht'; did you mean 'path'?\n    path:",
            '4:12: this must be text, not 5; put it in quotes\n    path: "5"',
            '4:43: this must be text, not 7; put it in quotes\n    policy: "7"',
        ),
        said(
            # a rule without an upstream still has its policy judged
            "rules:\n  - policy: {allow_origins: https://a.com/}\n  - 7\n",
            "2:5: a rule needs the key 'upstream'\n    upstream: http://127.0.0.1:8000",
            "2:29: 'https://a.com/' has a trailing slash; write it byte for byte as browsers send it\n"
            "    allow_origins: https://a.com",
            "3:5: this must be a mapping, not 7",
        ),
        said("rules: [7]\n", "1:9: this must be a mapping, not 7"),
        said("rules: ${NO}\n", "1:8: the environment variable NO is not set; set it, or give a default: ${NO:-...}"),
        said(
            "listen: ${NO}\nrules:\n  - {upstream: '${NO}', policy: wrong, path: '${NO}'}\n"
            "  - {upstream: http://a, policy: none}\n",
            "1:9: the environment variable NO is not set; set it, or give a default: ${NO:-...}",
            "3:16: the environment variable NO is not set; set it, or give a default: ${NO:-...}",
            "3:33: unknown policy 'wrong'; declare it under policies",
            "3:46: the environment variable NO is not set; set it, or give a default: ${NO:-...}",
        ),
        said(
            # a problem that an alias brings to two places is one problem
            "policies:\n  a: {allow_origins: &x [https://a.com/]}\n  b: {allow_origins: *x}\n"
            "rules: [{upstream: http://a, policy: none}]\n",
            "2:26: 'https://a.com/' has a trailing slash; write it byte for byte as browsers send it\n"
            "    https://a.com",
        ),
    ],
)
def test_one_mistake_is_one_problem(text, problems):
    """Everything that is wrong is said in one run, and nothing that only follows from something else."""
    assert problems_of(text) == problems


def test_values_from_the_environment_are_judged_like_any_other():
    text = f"{RULES}limits: {{max_connections: '${{N}}'}}\nadmin: ${{A}}\npolicies:\n  a: {{allow_origins: '*'}}\n"
    assert problems_of(text, {"N": "5", "A": "9901"}) == [
        "c:2:27: this must be a whole number, not '5'",
        "c:3:8: 9901 is only a port; say on which address\n    admin: 127.0.0.1:9901",
    ]
    plain = f"{RULES}limits:\n  max_connections: ${{N}}\n  max_request_head: ${{H}}\n"
    assert problems_of(plain, {"N": "5", "H": "16KiB"}) == []


KEYS = [
    "rules",
    "policies",
    "upstreams",
    "limits",
    "listen",
    "path",
    "upstream",
    "policy",
    "allow_origins",
    "url",
    "zzz",
    "headers",
    "request",
    "set",
    "tls",
    "address",
    "cookies",
]
VALUES = st.recursive(
    st.sampled_from(
        ["", "~", "5", "true", "/a", "web", "http://a", "none", "*x", "'*'", "10m", "https://a.com/", "${N}", "&x y"]
    ),
    lambda below: st.one_of(
        st.lists(below, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.sampled_from(KEYS), below, max_size=4).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}"
        ),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5))
def test_no_configuration_makes_it_raise_anything_else(pairs):
    """Whatever is written, the answer is a configuration that may run, or problems that stand in the text."""
    text = "".join(f"{key}: {value}\n" for key, value in pairs.items())
    messages = problems_of(text)
    places = [tuple(map(int, message.split(":")[1:3])) for message in messages if not message.startswith("c: ")]
    assert len(set(messages)) == len(messages)
    assert places == sorted(places)
    assert all(1 <= line <= len(pairs) for line, _ in places)
