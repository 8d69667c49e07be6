"""Express behind the proxy: without CORS, with the cors package, and with the headers written by hand (S5, S6)."""

from __future__ import annotations

import json

import pytest

from tests.apps.serving import APP, EVIL, JSON, NODE_APPS, ORIGIN, Place, express, page
from tests.e2e.page import browse
from tests.e2e.rig import ACAO, config, running_proxy

# As the lines in tests/apps/node/apps.js say it.
BY_HAND = {
    "allow_origins": [APP],
    "allow_methods": ["GET", "POST", "PUT", "DELETE"],
    "allow_headers": ["Content-Type"],
}
GRANT = [(ACAO, APP.encode())]


@pytest.fixture(scope="module")
def url():
    with express("", "origin: ['https://myapp.com'], credentials: true") as url:
        yield url


async def calls(url) -> list[str]:
    return json.loads((await Place(url).ask(b"GET /calls")).body)


@pytest.mark.parametrize("path", ["/plain", "/by-hand", "/cors/0", "/cors/1"])
async def test_every_express_api_works_the_same_behind_the_proxy(url, path):
    """Whatever it says itself about CORS, the policy counts, no line stands twice, and no preflight reaches it."""
    await calls(url)
    async with running_proxy(config(url, policy=BY_HAND)) as proxy:
        read = await browse(proxy, page(APP, path + "/data"))
        posted = await browse(proxy, page(APP, path + "/data", method=b"POST", headers=(JSON,)), body=b'{"a": 1}')
        put = await browse(proxy, page(APP, path + "/data", method=b"PUT", headers=(JSON,)), body=b'{"a": 1}')
        deleted = await browse(proxy, page(APP, path + "/data", method=b"DELETE"))
        patched = await browse(proxy, page(APP, path + "/data", method=b"PATCH", headers=(JSON,)), body=b"{}")
        moved = await browse(proxy, page(APP, path + "/moved"))
        boom = await browse(proxy, page(APP, path + "/boom"))
        stranger = await browse(proxy, page(EVIL, path + "/data"))
    assert json.loads(read.body) == {"items": [1, 2, 3], "name": "caf\u00e9"}
    assert json.loads(posted.body) == {"a": 1}
    assert posted.responses[-1].one(b"location") == b"/data/7"
    assert json.loads(put.body) == {"put": {"a": 1}}
    assert deleted.responses[-1].status == 204
    assert (boom.allowed, boom.responses[-1].status) == (True, 500)
    assert json.loads(moved.body)["items"] == [1, 2, 3]
    assert not patched.allowed
    for visit in (read, posted, put, deleted, moved, boom):
        assert visit.responses[-1].cors == GRANT
        assert visit.responses[-1].vary == [b"origin"]
        assert visit.responses[-1].one(b"x-powered-by") == b"Express"
    assert not stranger.allowed
    assert stranger.responses[0].cors == []
    assert await calls(url) == ["GET", "POST", "PUT", "DELETE", "GET", "GET", "GET", "GET"]


async def test_s5_the_rule_puts_the_hand_written_lines_on_the_wire(url):
    """A preflight through the proxy to an API without CORS, and one to the API whose developer wrote the lines."""
    asked = (ORIGIN, b"Access-Control-Request-Method: PUT", b"Access-Control-Request-Headers: content-type")
    async with running_proxy(config(url, policy=BY_HAND)) as proxy:
        ours = await proxy.ask(b"OPTIONS /plain/data", *asked)
    theirs = await Place(url).ask(b"OPTIONS /by-hand/data", *asked)
    assert ours.cors == theirs.cors
    assert len(ours.cors) == 3


async def test_without_the_proxy_the_plain_api_is_blocked(url):
    assert not (await browse(Place(url), page(APP, "/plain/data"))).allowed


@pytest.mark.parametrize("rule", [{"policy": "none"}, {"upstream_cors": "keep"}], ids=["none", "keep"])
async def test_the_cors_package_decides_where_the_rule_leaves_it_to_it(url, rule):
    """What ``preflightContinue`` is for: somebody else answers the preflight, here Express."""
    await calls(url)
    async with running_proxy(config(url, policy={"allow_origins": [EVIL]}, rule=rule)) as proxy:
        visit = await browse(proxy, page(APP, "/cors/1/data", method=b"PATCH", headers=(JSON,)), body=b"{}")
        stranger = await browse(proxy, page(EVIL, "/cors/1/data"))
    assert visit.allowed
    assert not stranger.allowed
    assert await calls(url) == ["OPTIONS", "PATCH", "GET"]


def test_the_lock_file_pins_everything_and_names_no_place_to_install_from():
    """As the locks of Python do: everybody installs from the registry that their own npm knows, by the hashes."""
    packages = json.loads((NODE_APPS / "package-lock.json").read_text("utf-8"))["packages"]
    installed = {name: entry for name, entry in packages.items() if name}
    assert [name for name, entry in installed.items() if "integrity" not in entry or "resolved" in entry] == []
