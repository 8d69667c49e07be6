"""Flask behind the proxy: without CORS, with Flask-CORS, and with the headers written by hand (S1-S4, S7, S8)."""

from __future__ import annotations

import json

import pytest

from tests.apps.flask_apps import ByHand, plain, with_flask_cors
from tests.apps.serving import API, APP, EVIL, JSON, ORIGIN, Place, page, wsgi
from tests.e2e.page import browse
from tests.e2e.rig import ACAO, config, running_proxy

POLICY = {
    "allow_origins": [APP],
    "allow_methods": ["GET", "POST", "PUT", "PATCH", "DELETE"],
    "allow_headers": ["Content-Type"],
    "expose_headers": ["X-Total-Count"],
    "max_age": 600,
}
GRANT = [(ACAO, APP.encode()), (b"access-control-expose-headers", b"X-Total-Count")]


@pytest.fixture(scope="module", params=["HTTP/1.1", "HTTP/1.0"])
def api(request):
    """Both versions, since `flask run` speaks HTTP/1.0."""
    with wsgi(plain(), request.param) as url:
        yield url


@pytest.fixture(scope="module")
def api_with_resources():
    with wsgi(with_flask_cors(resources=RESOURCES)) as url:
        yield url


async def test_page_reads_what_flask_answers(api):
    async with running_proxy(config(api, policy=POLICY)) as proxy:
        visit = await browse(proxy, page(APP, "/data"))
        stranger = await browse(proxy, page(EVIL, "/data"))
    assert visit.allowed
    assert json.loads(visit.body) == {"items": [1, 2, 3], "name": "caf\u00e9"}
    assert b"x-total-count" in visit.readable
    assert visit.responses[0].cors == GRANT
    assert not stranger.allowed
    assert stranger.responses[0].cors == []
    direct = await browse(Place(api), page(APP, "/data"))
    assert not direct.allowed  # without the proxy


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"PATCH"])
async def test_preflighted_json_reaches_flask(api, method):
    sent = json.dumps({"note": "caf\u00e9"}).encode()
    async with running_proxy(config(api, policy=POLICY)) as proxy:
        visit = await browse(proxy, page(APP, "/data", method=method, headers=(JSON,)), body=sent)
    assert [response.status for response in visit.responses] == [204, 201]
    assert json.loads(visit.body) == {"method": method.decode(), "sent": {"note": "caf\u00e9"}, "origin": APP}


async def test_delete_redirect_and_errors_are_readable(api):
    async with running_proxy(config(api, policy=POLICY)) as proxy:
        deleted = await browse(proxy, page(APP, "/data", method=b"DELETE"))
        moved = await browse(proxy, page(APP, "/moved"))
        missing = await browse(proxy, page(APP, "/nowhere"))
        boom = await browse(proxy, page(APP, "/boom"))
    assert [response.status for response in deleted.responses] == [204, 204]
    assert [response.status for response in moved.responses] == [302, 200]
    assert moved.responses[0].one(b"location") == b"/data"
    assert all(visit.allowed for visit in (deleted, moved, missing, boom))
    assert (missing.responses[-1].status, boom.responses[-1].status) == (404, 500)
    assert json.loads(boom.body) == {"error": "boom"}


async def test_headers_of_flask_cors_are_replaced():
    """Flask-CORS allows everybody here; behind the proxy the policy counts, and no line stands twice."""
    with wsgi(with_flask_cors(supports_credentials=True, expose_headers=["X-Other"])) as url:
        async with running_proxy(config(url, policy=POLICY)) as proxy:
            visit = await browse(proxy, page(APP, "/data", method=b"PUT", headers=(JSON,)), body=b"{}")
            stranger = await browse(proxy, page(EVIL, "/data"))
        direct = await Place(url).ask(b"GET /data", b"Origin: " + EVIL.encode())
    assert direct.one(ACAO) == EVIL.encode()  # anybody, with credentials
    assert visit.responses[-1].cors == GRANT
    assert visit.responses[-1].vary == [b"origin"]
    assert stranger.responses[0].cors == []


async def test_flask_cors_decides_where_the_rule_leaves_it_to_it():
    with wsgi(with_flask_cors(origins=[APP], methods=["PUT"], allow_headers=["Content-Type"])) as url:
        async with running_proxy(config(url, policy="none")) as proxy:
            visit = await browse(proxy, page(APP, "/data", method=b"PUT", headers=(JSON,)), body=b"{}")
            stranger = await browse(proxy, page(EVIL, "/data"))
    assert visit.allowed
    assert not stranger.allowed


RESOURCES = {
    r"/public/*": {"origins": "*", "methods": ["GET", "PUT"], "send_wildcard": True},
    r"/data/*": {"origins": [APP], "methods": ["GET", "PUT"], "supports_credentials": True, "max_age": 600},
}

TABLE = [
    {"path": "/", "policy": "none"},
    {"path": "/public", "policy": {"allow_origins": "*", "allow_methods": ["GET", "PUT"], "allow_headers": "*"}},
    {
        "path": "/data",
        "policy": {
            "allow_origins": [APP],
            "allow_methods": ["GET", "PUT"],
            "allow_headers": "*",
            "allow_credentials": True,
            "max_age": 600,
        },
    },
]


@pytest.mark.parametrize("method", [b"GET", b"PUT", b"DELETE"])
@pytest.mark.parametrize("origin", [APP, EVIL])
@pytest.mark.parametrize("path", ["/public/data", "/data", "/moved"])
async def test_s7_resources_by_path_are_rules(api, api_with_resources, path, origin, method):
    """The package with several paths, and a table that says the same: a page gets the same from both."""
    asked = page(origin, path, method=method, headers=(JSON,))
    async with running_proxy(config(api, rules=[{**rule, "upstream": api} for rule in TABLE])) as proxy:
        ours = await browse(proxy, asked, body=b"{}")
    theirs = await browse(Place(api_with_resources), asked, body=b"{}")
    granted = origin == APP if path == "/data" else path == "/public/data"
    assert ours.allowed is theirs.allowed is (granted and method != b"DELETE")
    assert ours.body == theirs.body


async def test_s8_view_that_answers_options_is_not_called_for_preflights():
    by_hand = ByHand()
    with wsgi(by_hand.app) as url:
        async with running_proxy(config(url, policy=POLICY)) as proxy:
            visit = await browse(proxy, page(APP, "/data", method=b"PUT", headers=(JSON,)), body=b"{}")
            assert by_hand.calls == ["PUT"]
            options = await proxy.ask(b"OPTIONS /data", ORIGIN)  # no preflight, so it is the API's
            stranger = await browse(proxy, page(EVIL, "/data"))
    assert by_hand.calls == ["PUT", "OPTIONS", "GET"]
    assert (visit.allowed, visit.body) == (True, b"view")
    assert [response.one(ACAO) for response in (*visit.responses, options)] == [APP.encode()] * 3
    assert visit.responses[-1].cors == options.cors == GRANT
    assert not stranger.allowed  # the star of the API no longer counts
    assert stranger.responses[0].cors == []


async def test_s11_no_origin_no_grant_same_answer(api):
    async with running_proxy(config(api, policy=POLICY)) as proxy:
        through, direct = await proxy.ask(b"GET /data"), await Place(api).ask(b"GET /data")
    assert (through.status, through.body, through.cors) == (direct.status, direct.body, [])
    assert API not in through.body.decode()
