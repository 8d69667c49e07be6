"""Tables, and the requests and pages that are tried on them."""

from __future__ import annotations

import itertools

from corsproxy.cors.fetch import Credentials, Request
from tests.tools.exporting.alike import Asked

# Everything that a policy can ask for, at several hosts and paths; {port}: the proxy, {upstream}, {dead}.
TABLE = r"""
listen: 127.0.0.1:{port}
policies:
  web-app:
    allow_origins:
      - https://app.example.com
      - https://*.preview.example.com
      - http://localhost:*
      - https://ports.example.com:8443
    allow_origin_regex: https://pr-[0-9]+\.example\.(?:com|org)
    allow_methods: [GET, HEAD, POST, PUT]
    allow_headers: [Content-Type, Authorization, X-Api-Key]
    expose_headers: [X-Total-Count]
    allow_credentials: true
    max_age: 10m
  public:
    allow_origins: "*"
    allow_headers: "*"
    allow_methods: "*"
    expose_headers: "*"
    timing_allow_origins: "*"
    cross_origin_resource_policy: cross-origin
  strict:
    allow_origins: [https://app.example.com]
    on_denied: reject
    preflight_status: 200
  echoing:
    allow_origins: [https://app.example.com]
    allow_methods: "*"
    allow_headers: "*"
    allow_credentials: true
    allow_private_network: true
    timing_allow_origins: [https://app.example.com, https://other.example.com]
  exposing:
    allow_origins: [https://app.example.com]
    allow_credentials: true
    expose_headers: "*"
  nobody:
    allow_origins: ["null"]
    dangerously_allow_null: true
upstreams:
  api: {{url: "http://127.0.0.1:{upstream}"}}
  based: {{url: "http://127.0.0.1:{upstream}/v2"}}
  dead: {{url: "http://127.0.0.1:{dead}"}}
rules:
  - {{path: /app, upstream: api, policy: web-app}}
  - path: /app/special
    upstream: api
    policy: strict
    headers:
      request: {{set: {{X-Key: 'a"b$c\d %e #{{f}} `g` ''h'''}}, add: {{X-Added: one}}, remove: [X-Gone]}}
      response: {{set: {{X-Set: '100 % "$x" \y #z'}}, remove: [X-Secret]}}
  - {{path: /stripped, upstream: api, policy: web-app, strip_prefix: true}}
  - {{path: /based, upstream: based, policy: web-app, strip_prefix: true, forward_host: preserve}}
  - {{path: /deep/based, upstream: based, policy: none, forward_host: literal.example.com}}
  - {{path: /exposing, upstream: api, policy: exposing}}
  - {{path: /dead, upstream: dead, policy: web-app}}
  - {{path: /a%20b, upstream: api, policy: public}}
  - {{host: public.example.com, upstream: api, policy: public}}
  - {{host: "*.data.example.com", path: /reports, upstream: api, policy: echoing}}
  - {{host: "*.deep.data.example.com", upstream: api, policy: nobody}}
  - {{host: exact.example.com, path: /only, upstream: api, policy: echoing}}
"""

APP, EVIL, PREVIEW = "https://app.example.com", "https://evil.example.net", "https://a.b.preview.example.com"
LOOKALIKES = (
    *("https://app.example.com.evil.net", "https://xapp.example.com", "http://app.example.com"),
    *("https://app.example.com:8443", "https://preview.example.com", "https://evilpreview.example.com"),
    *("https://appxexample.com", "HTTPS://APP.EXAMPLE.COM", "https://app.example.com/", "https://pr-1.example.net"),
    *("https://pr-1.example.com.evil.net", "https://ports.example.com", "http://localhost.evil.net", "https://"),
    *("http://localhost:0", "http://localhost:", "https://.preview.example.com", "https://a..preview.example.com"),
)
ALLOWED = (APP, PREVIEW, "http://localhost", "http://localhost:5173", "https://pr-42.example.org",
           "https://ports.example.com:8443", "https://x.preview.example.com")  # fmt: skip


def _preflight(method: str, *names: str, origin: str = APP, line: str = "OPTIONS /app", host: str = "api.example.com"):
    headers = [("Origin", origin), ("Access-Control-Request-Method", method)]
    headers += [("Access-Control-Request-Headers", name) for name in names]
    return Asked(line, host, tuple(headers))


def _get(line: str, origin: str = "", host: str = "api.example.com", *more: tuple[str, str]) -> Asked:
    return Asked(line, host, ((("Origin", origin),) if origin else ()) + more)


_UPGRADE = (
    *(("Connection", "Upgrade"), ("Upgrade", "websocket")),
    *(("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")),
)

ROWS: tuple[Asked, ...] = (
    # who is allowed
    *(_get("GET /app", origin) for origin in ("", "null", EVIL, *ALLOWED, *LOOKALIKES)),
    *(_preflight("PUT", "content-type", origin=origin) for origin in ("null", EVIL, *ALLOWED, *LOOKALIKES)),
    # what is allowed
    *(_preflight(method) for method in ("GET", "POST", "PUT", "DELETE", "put", "PUTX", "", "TRACE", "G T")),
    _preflight("PUT", "x-api-key", "content-type"),
    _preflight("PUT", "x-api-key", "x-evil"),
    _preflight("PUT", "x-evil", "x-api-key"),
    *(
        _preflight("PUT", names)
        for names in ("x-api-key", "X-API-KEY,content-type", "content-type, authorization", "x-evil",
                      "x-api-key,x-evil",                      " x-api-key\t,, content-type ,", ",", "x-api-keyx",
                      "*", "x-api-key x-api-key")
    ),
    *(
        _preflight(method, *names, line=line, host=host, origin=origin)
        for method, names, (line, host) in itertools.product(
            ("GET", "PATCH", "connect", "TRACK", "a b"),
            ((), ("x-any,authorization",), ("bad name",)),
            (("OPTIONS /", "public.example.com"), ("OPTIONS /reports", "x.data.example.com")),
        )
        for origin in (APP, EVIL)
    ),
    _preflight("GET", line="OPTIONS /app/special"),
    _preflight("GET", line="OPTIONS /app/special", origin=EVIL),
    _preflight("GET", line="OPTIONS /deep/based"),
    # no preflights
    Asked("OPTIONS /app"),
    Asked("OPTIONS /app", headers=(("Access-Control-Request-Method", "PUT"),)),
    _get("OPTIONS /app", APP),
    _get("OPTIONS /app", EVIL),
    # what the upstream answers
    *(_get(f"GET /app/status-{status}", origin) for status in (201, 204, 304, 404, 500) for origin in ("", APP, EVIL)),
    *(_get(f"{method} /app", origin) for method in ("HEAD", "POST", "PUT", "DELETE") for origin in (APP, EVIL)),
    # paths and hosts
    *(
        _get(f"GET {target}", APP)
        for target in ("/app/", "/app/x?y=/special", "/application", "/app?x", "/App", "/app//x", "/app/special/7",
                       "/app/specials", "/stripped", "/stripped/", "/stripped/x/y?z=1&p=/q", "/stripped?z",
                       "/stripped//x",                       "/based/x%2Fy?q=%2F", "/based", "/deep/based/x",
                       "/a%20b/c", "/a%20b", "/a b", "/nowhere", "/",
                       "/stripped/%20%E2%82%AC", "/app/%c3%a9?a=%3F")
        if " " not in target
    ),
    # what two servers may read in two ways
    *(
        _get(f"GET {target}", APP)
        for target in ("/app/../stripped", "/app/%2e%2e/stripped", "/app/..%2fstripped", "/./app", "/app/x/..",
                       "/app%2Fspecial", "/app/special;x", "/app//special", "/app/;/special", "/app\\special",
                       "/app%5Cspecial",                       "/app;x/special", "/%61pp/special", "/app/%73pecial",
                       "/app/special%2Fx", "/app/spe%00cial",
                       "/stripped%2F..%2Fapp", "//app/special", "/app/x%3Bspecial", "/app%3Bx")
    ),
    *(
        _get(f"GET {path}", APP, host)
        for path in ("/", "/reports", "/app", "/only/x")
        for host in ("public.example.com", "PUBLIC.example.com:8080", "public.example.com.", "a.data.example.com",
                     "a.b.data.example.com", "x.deep.data.example.com", "deep.data.example.com", "data.example.com",
                     "exact.example.com", "other.example.com", "xpublic.example.com")
    ),
    _get("GET /", "null", "x.deep.data.example.com"),
    # what is public, timed, or refused
    *(_get("GET /", origin, "public.example.com") for origin in ("", EVIL, "null", "nonsense")),
    *(_get("GET /reports", origin, "a.data.example.com") for origin in ("", EVIL, "https://other.example.com")),
    *(_get("GET /app/special", origin) for origin in ("", APP, EVIL, "null", "http://api.example.com")),
    _get("GET /app/special", EVIL, "api.example.com", ("Sec-Fetch-Site", "same-origin")),
    _get("POST /app/special", EVIL, "api.example.com", ("Sec-Fetch-Site", "cross-site"), ("Content-Length", "0")),
    _get("GET /app/special", "https://api.example.com", "api.example.com"),
    _get("GET /app/special", "http://api.example.com:8080", "api.example.com:8080"),
    _get("GET /app", "http://api.example.com", "API.example.com"),
    # a private network
    *(
        Asked(f"OPTIONS {path}", host, (("Origin", APP), ("Access-Control-Request-Method", "PUT"),
                                        ("Access-Control-Request-Private-Network", asked)))
        for path, host in (("/reports", "a.data.example.com"),)
        for asked in ("true", "false")
    ),
    # WebSockets of strangers
    *(_get("GET /app", origin, "api.example.com", *_UPGRADE) for origin in (EVIL, "null")),
    # edits
    _get("GET /app/special", APP, "api.example.com", ("X-Key", "client's"), ("X-Gone", "1")),
    _get("GET /app", APP, "api.example.com", *_UPGRADE),
    _get("GET /app", "", "api.example.com", *_UPGRADE),
    _get("GET /app", "http://api.example.com", "api.example.com", *_UPGRADE),
    # redirects and cookies
    *(
        _get(f"GET {path}", APP, "api.example.com", ("X-Redirect", where))
        for path in ("/app", "/stripped", "/based", "/deep/based")
        for where in ("http://OWN/v2/x?y#z", "HTTP://OWN/v2", "//OWN/v2?x", "http://OWN", "http://OWN/v2/", "/v2/x",
                      "/x",                      "/v2", "x", "https://else.example.com/v2/x", "http://OWN/v2x",
                      "http://OWN.evil.net/v2/x", "?x",
                      "http://OWN/v2//evil.net", "//evil.net/v2", "http://OWN0/v2")
    ),
    *(_get(f"GET {path}/cookie") for path in ("/app", "/stripped", "/based", "/deep/based")),
    # failures
    *(_get("GET /dead", origin) for origin in ("", APP, EVIL)),
    _preflight("PUT", line="OPTIONS /dead"),
    Asked("TRACE /app", headers=(("Origin", APP),)),
)  # fmt: skip

PAGES: tuple[Request, ...] = tuple(
    Request(
        url=f"http://{host}{path}", origin=origin.encode(), method=method, headers=headers, credentials=credentials
    )
    for (host, path), origin, (method, headers), credentials in itertools.product(
        (("api.example.com", "/app/x"), ("public.example.com", "/"), ("a.data.example.com", "/reports"),
         ("api.example.com", "/dead"), ("api.example.com", "/app/special")),
        (APP, EVIL, "null", "https://app.example.com.evil.net"),
        ((b"GET", ()), (b"PUT", ()), (b"DELETE", ()), (b"GET", ((b"Authorization", b"x"), (b"X-Api-Key", b"1")))),
        (Credentials.OMIT, Credentials.INCLUDE),
    )
)  # fmt: skip

# Where the engine can name the headers that are there.
EXPOSED: tuple[Request, ...] = tuple(
    Request(url="http://api.example.com/exposing", origin=origin.encode(), credentials=credentials)
    for origin in (APP, EVIL)
    for credentials in (Credentials.OMIT, Credentials.INCLUDE)
)

# Rows in which an engine is known to answer otherwise, and why nobody is harmed.
EVERYWHERE = {
    f"GET /%61pp/special api.example.com Origin={APP}": "refused: an escape that is not needed",
    f"GET /app/%73pecial api.example.com Origin={APP}": "refused: an escape that is not needed",
    f"TRACE /app api.example.com Origin={APP}": "refused without CORS lines; no page can send it",
}
_EMPTY = f"OPTIONS /app api.example.com Origin={APP} "
_FIRST = "the first of two lines is read; browsers send one, and what is granted is the policy's own list"
KNOWN: dict[str, dict[str, str]] = {
    "nginx": {
        f"{_EMPTY}Access-Control-Request-Method=PUT Access-Control-Request-Headers=x-api-key "
        "Access-Control-Request-Headers=x-evil": _FIRST,
        f"{_EMPTY}Access-Control-Request-Method=": "an empty one, which no browser sends, is none",
    },
    "caddy": {},
    "envoy": {},
    "haproxy": {},
}
