"""Tables and heads for the tests of the data plane's pure parts."""

from corsproxy.config.load import load_config
from corsproxy.proxy.plan import plan
from corsproxy.proxy.request import Client, Fields, RequestHead

YAML = """
trusted_proxies: [10.0.0.0/8]
policies:
  app:
    allow_origins: [https://app.example]
    allow_credentials: true
    allow_methods: [GET, PUT]
    allow_headers: [X-Token]
  strict: {allow_origins: [https://app.example], on_denied: reject}
  open: {allow_origins: ["*"]}
rules:
  - {path: /, upstream: "http://up.internal:8000", policy: app, limits: {max_request_body: 10}}
  - {path: /strict, upstream: "http://up.internal:8000/base", policy: strict, strip_prefix: true}
  - {path: /open, upstream: "http://up.internal:8000", policy: open}
  - {path: /raw, upstream: "http://up.internal:8000", policy: none}
  - {path: /own, upstream: "http://up.internal:8000", policy: app, forward_host: preserve, forward_origin: remove}
  - {path: /lit, upstream: "http://up.internal:8000", policy: app, forward_host: api.internal,
     forward_origin: https://own.example,
     headers:
       {request: {set: {X-Key: k}, remove: [Cookie]}, response: {set: {X-Frame-Options: DENY}, remove: [Server]}}}
  - {path: /likewise/x, upstream: "http://up.internal:8000/v2", policy: app, limits: {max_request_body: 10}}
  - {path: /stricter, upstream: "http://up.internal:8000", policy: strict}
  - {path: /only, host: only.example, upstream: "http://up.internal:8000", policy: app}
"""

TABLE = load_config(YAML, "t.yaml", {}, pseudonym="me").table
HOSTED = load_config(
    'rules: [{path: /api, host: api.example, upstream: "http://up.internal:8000", policy: none}]', "t.yaml", {}
).table
CLIENT = Client("192.0.2.1", tls=False)


def judge(method=b"GET", target=b"/", *fields, version=b"1.1", host=b"proxy.example", client=CLIENT, table=TABLE):
    """Plan one request; ``fields`` are its other header lines, host None leaves the Host line out."""
    lines = ((b"Host", host), *fields) if host is not None else fields
    return plan(table, RequestHead(method, target, version, Fields(lines)), client)
