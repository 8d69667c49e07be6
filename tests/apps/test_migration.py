"""The tables of docs/cors.md and docs/migrate.md are true: each option is given to the real package, each policy to the
proxy before an API without CORS, and pages of several origins must get the same from both.

Where an option is left out, package and policy have what the package has by default.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest
import yaml
from corsheaders.conf import Settings

from corsproxy.cors.browser import Credentials
from tests.apps.django_site import site
from tests.apps.flask_apps import plain, with_flask_cors
from tests.apps.serving import APP, EVIL, JSON, ORIGIN, Place, express, page, wsgi
from tests.documents import ROOT, Document, codes
from tests.e2e.page import browse
from tests.e2e.rig import RawUpstream, answer, answering, config, running_proxy

CORS = Document(ROOT / "docs/cors.md")
MIGRATE = Document(ROOT / "docs/migrate.md")

ORIGINS = [APP, "https://shop.com", "https://a.myapp.com", "https://pr-7.myapp.com", EVIL]
ASKED: list[dict[str, Any]] = [
    {},
    {"credentials": Credentials.INCLUDE},
    {"method": b"PUT"},
    {"method": b"PATCH"},
    {"headers": (JSON,)},
    {"headers": ((b"Authorization", b"Bearer 1"),)},
    {"headers": ((b"X-Other", b"1"),)},
]


class Row(NamedTuple):
    """A row of a table: what they say, and the policy that says the same."""

    theirs: str
    ours: dict[str, Any]

    def policy(self, defaults: dict[str, Any]) -> dict[str, Any]:
        """The row's policy, with the package's defaults for what it does not say."""
        who = {} if self.names_origins else {"allow_origins": [APP]}
        return {**who, **defaults, **self.ours}

    @property
    def names_origins(self) -> bool:
        return not self.ours.keys().isdisjoint({"allow_origins", "allow_origin_regex"})


def rows(document: Document, heading: str) -> list[Any]:
    """The rows of a table that have a policy."""
    found = [(codes(theirs)[0], ours) for theirs, ours, _ in document.table(heading) if ours != "none"]
    assert len(found) > 5
    return [pytest.param(Row(theirs, yaml.safe_load(codes(ours)[0])), id=theirs) for theirs, ours in found]


async def visible(place: Any, path: str) -> list[Any]:
    """What pages of each origin get: whether they may read, and whether the header with the count is among it."""
    found = []
    for origin in ORIGINS:
        for asked in ASKED:
            visit = await browse(place, page(origin, path, **asked), body=b"{}" if "method" in asked else None)
            found.append((origin, asked, visit.allowed, b"x-total-count" in visit.readable))
    return found


async def preflight(place: Any, path: str, row: Row) -> dict[str, str]:
    """What a preflight says besides the lists, which every party words in its own way."""
    network = (b"Access-Control-Request-Private-Network: true",) if "allow_private_network" in row.ours else ()
    response = await place.ask(b"OPTIONS " + path.encode(), ORIGIN, b"Access-Control-Request-Method: PUT", *network)
    names = ("max-age", "allow-credentials", "allow-private-network")
    return {name: b", ".join(response.all(b"access-control-" + name.encode())).decode() for name in names}


async def same(row: Row, defaults: dict[str, Any], legacy: str, own: str, paths: tuple[str, str]) -> None:
    """The proxy before the API without CORS, and the package in the API, give pages the same."""
    async with running_proxy(config(legacy, policy=row.policy(defaults))) as proxy:
        ours = await visible(proxy, paths[0]), await preflight(proxy, paths[0], row)
    theirs = await visible(Place(own), paths[1]), await preflight(Place(own), paths[1], row)
    assert ours == theirs
    assert any(allowed for *_, allowed, _ in ours[0])  # and it is not just nobody
    assert not all(allowed for *_, allowed, _ in ours[0])


# Express

EXPRESS = rows(CORS, "The cors package of Express")
EXPRESS_DEFAULTS = {"allow_methods": ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"], "allow_headers": "*"}


@pytest.fixture(scope="module")
def express_url():
    table = [parameter.values[0] for parameter in EXPRESS]
    with express(*(row.theirs if row.names_origins else f"origin: ['{APP}'], {row.theirs}" for row in table)) as url:
        yield url


@pytest.mark.parametrize("index", range(len(EXPRESS)), ids=[parameter.id for parameter in EXPRESS])
async def test_s6_policy_does_what_the_option_of_express_does(express_url, index):
    row = EXPRESS[index].values[0]
    paths = ("/plain/data", f"/cors/{index}/data")
    await same(row, EXPRESS_DEFAULTS, express_url, express_url, paths)


async def test_s6_status_of_a_preflight(express_url):
    (index,) = [index for index, row in enumerate(EXPRESS) if "optionsSuccessStatus" in row.id]
    asked = (b"OPTIONS /plain/data", ORIGIN, b"Access-Control-Request-Method: PUT")
    async with running_proxy(config(express_url, policy=EXPRESS[index].values[0].policy(EXPRESS_DEFAULTS))) as proxy:
        ours = await proxy.ask(*asked)
    theirs = await Place(express_url).ask(b"OPTIONS /cors/%d/data" % index, *asked[1:])
    assert ours.status == theirs.status == 200


# Flask-CORS

FLASK_DEFAULTS = {
    "allow_methods": ["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"],
    "allow_headers": "*",
}


@pytest.fixture(scope="module")
def flask_url():
    with wsgi(plain()) as url:
        yield url


@pytest.mark.parametrize("row", rows(CORS, "Flask-CORS"))
async def test_s7_policy_does_what_the_option_of_flask_cors_does(flask_url, row):
    options = eval(f"dict({row.theirs})")  # noqa: S307  # a cell of this project's own documentation
    if not row.names_origins:
        options["origins"] = [APP]
    with wsgi(with_flask_cors(**options)) as own:
        await same(row, FLASK_DEFAULTS, flask_url, own, ("/data", "/data"))


# django-cors-headers

CORS_MIDDLEWARE = ["corsheaders.middleware.CorsMiddleware", "django.middleware.common.CommonMiddleware"]
DJANGO_DEFAULTS = {
    "allow_methods": ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"],
    "allow_headers": ["accept", "authorization", "content-type", "user-agent", "x-csrftoken", "x-requested-with"],
    "max_age": "1d",
}


@pytest.mark.parametrize("row", rows(MIGRATE, "django-cors-headers"))
async def test_policy_does_what_the_setting_of_django_cors_headers_does(django_ready, row):
    name, _, value = row.theirs.partition(" = ")
    changes = {name: eval(value)}  # noqa: S307  # a cell of this project's own documentation
    if not row.names_origins:
        changes["CORS_ALLOWED_ORIGINS"] = [APP]
    with site() as legacy, site(MIDDLEWARE=CORS_MIDDLEWARE, **changes) as own:
        await same(row, DJANGO_DEFAULTS, legacy, own, ("/data", "/data"))


def test_every_setting_of_django_cors_headers_has_its_row():
    settings = {name for name in vars(Settings) if name.startswith("CORS_")}
    named = {
        match[0] for theirs, *_ in MIGRATE.table("django-cors-headers") if (match := re.search(r"CORS_\w+", theirs))
    }
    assert named == settings


async def test_expression_without_an_end_lets_strangers_in_there(django_ready):
    """Which the remark of that row says; here the expression is for the whole origin."""
    stranger = b"Origin: https://pr-1.myapp.com.evil.example"
    changes = {"CORS_ALLOWED_ORIGIN_REGEXES": [r"^https://pr-\d+\.myapp\.com"]}
    with site(MIDDLEWARE=CORS_MIDDLEWARE, **changes) as own:
        assert (await Place(own).ask(b"GET /data", stranger)).cors
    policy = {"allow_origin_regex": r"https://pr-[0-9]+\.myapp\.com"}
    async with running_proxy(config("http://127.0.0.1:9", policy=policy)) as proxy:
        asked = await proxy.ask(b"OPTIONS /data", stranger, b"Access-Control-Request-Method: GET")
    assert (asked.status, asked.cors) == (403, [])


# nginx


@pytest.mark.parametrize("row", [row for row in rows(MIGRATE, "nginx: add_header") if row.id.startswith("add_header")])
async def test_policy_writes_the_line_that_nginx_writes(flask_url, row):
    """Every ``add_header`` of the table, byte for byte, on the preflight or on the answer."""
    match = re.fullmatch(r'add_header (\S+) "(.+)";', row.theirs)
    assert match
    async with running_proxy(config(flask_url, policy=row.policy({}))) as proxy:
        answers = [
            await proxy.ask(b"OPTIONS /data", ORIGIN, b"Access-Control-Request-Method: GET"),
            await proxy.ask(b"GET /data", ORIGIN),
        ]
    lines = {(name.lower(), value) for answer in answers for name, value in answer.fields}
    assert (match[1].lower().encode(), match[2].encode()) in lines


def table_of(heading: str, upstream: str, url: str) -> str:
    """The configuration under a heading, with another upstream, and listening at a free port."""
    (text,) = (block.text for block in MIGRATE.of("yaml") if block.section == heading)
    assert upstream in text
    return re.sub(r"(?m)^listen: .*$", "listen: 127.0.0.1:0", text.replace(upstream, url))


async def test_the_table_does_what_the_lines_of_nginx_say():
    async with RawUpstream(answering()) as upstream:
        moved = b"Location: " + upstream.url.encode() + b"/orders/7"
        lines = (moved, b"Set-Cookie: a=1; Path=/", b"X-Powered-By: PHP", b"Access-Control-Allow-Origin: *")
        upstream.script = answering(answer(b"302 Found", *lines))
        async with running_proxy(table_of("nginx: add_header", "http://legacy.internal:8000", upstream.url)) as proxy:
            response = await proxy.ask(b"GET /api/orders", ORIGIN)
    (request,) = upstream.requests
    assert request.target == b"/orders"
    assert request.all(b"origin") == []
    assert (request.one(b"host"), request.one(b"x-api-key")) == (b"legacy.internal", b"abc")
    assert response.all(b"x-powered-by") == []
    assert response.one(b"location") == b"/api/orders/7"
    assert response.one(b"set-cookie") == b"a=1; Path=/api"
    assert response.cors == [(b"access-control-allow-origin", APP.encode())]


# cors-anywhere

ANYWHERE = (
    "getProxyForUrl originBlacklist originWhitelist handleInitialRequest checkRateLimit redirectSameOrigin "
    "requireHeader removeHeaders setHeaders corsMaxAge helpFile httpProxyOptions httpsOptions"
)


@pytest.mark.parametrize("heading", ["django-cors-headers", "nginx: add_header", "cors-anywhere"])
def test_what_has_no_policy_has_a_reason(heading):
    for theirs, ours, remarks in MIGRATE.table(heading):
        assert ours != "none" or remarks, theirs


def test_every_option_of_cors_anywhere_has_its_row():
    named = {codes(theirs)[0].partition(":")[0] for theirs, *_ in MIGRATE.table("cors-anywhere")}
    assert named == set(ANYWHERE.split())


async def test_the_table_goes_where_its_rules_say_and_nowhere_else():
    sun = answering(answer(b"200 OK", b"Set-Cookie: a=1", b"X-Any: 1", body=b"sun"))
    async with (
        RawUpstream(sun) as upstream,
        running_proxy(table_of("cors-anywhere", "https://api.weather.example", upstream.url)) as proxy,
    ):
        visit = await browse(proxy, page(APP, "/weather/today", headers=((b"X-Any", b"1"),)))
        with_cookie = await proxy.ask(b"GET /weather/today", ORIGIN, b"Cookie: a=1")
        stranger = await proxy.ask(b"GET /weather/today", b"Origin: " + EVIL.encode())
        elsewhere = await proxy.ask(b"GET /https://api.weather.example/today", ORIGIN)
    assert (visit.body, b"x-any" in visit.readable) == (b"sun", True)
    assert with_cookie.all(b"set-cookie") == []
    assert [request.all(b"cookie") for request in upstream.requests] == [[], []]
    assert {request.target for request in upstream.requests} == {b"/today"}
    assert (stranger.status, elsewhere.status) == (403, 404)
