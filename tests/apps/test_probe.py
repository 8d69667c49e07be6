"""What a probe finds of real CORS libraries, as people configure them, and of the proxy in front of the same."""

from __future__ import annotations

import pytest

from corsproxy.tools.probing.asking import probe
from corsproxy.tools.probing.questions import Target
from tests.apps.flask_apps import ByHand, plain, with_flask_cors
from tests.apps.serving import APP, wsgi
from tests.e2e.rig import config, running_proxy
from tests.tools.probed import severities

NO_VARY, FREE = {"missing-vary": "low"}, {"any-header": "note"}
OF_FLASK_CORS = {**NO_VARY, **FREE, "uppercase": "low"}  # it compares in lower case, and lets pages set any header

APPS = {
    "without CORS": (plain(), {"no-cors": "note", "not-let-in": "low", "preflight-unanswered": "low"}),
    "Flask-CORS": (with_flask_cors(), {**NO_VARY, **FREE, "any-origin": "note", "preflight-any-origin": "note"}),
    "Flask-CORS, any origin with cookies": (
        with_flask_cors(supports_credentials=True),
        {**NO_VARY, **FREE, "any-origin": "high", "preflight-any-origin": "high"},
    ),
    "Flask-CORS, one page": (
        with_flask_cors(origins=APP, supports_credentials=True),
        {**OF_FLASK_CORS, "missing-vary": "medium", "not-asked": "note"},
    ),
    "Flask-CORS, an expression without an end": (
        with_flask_cors(origins=r"https://myapp\.com"),
        {**OF_FLASK_CORS, "suffix": "medium", "port": "low"},
    ),
    "Flask-CORS, an unescaped dot": (
        with_flask_cors(origins=r"https://www.myapp\.com$"),
        {**OF_FLASK_CORS, "dot": "medium"},
    ),
    "by hand": (ByHand().app, {**FREE, "any-origin": "note", "preflight-any-origin": "note"}),
}


@pytest.mark.parametrize(("app", "found"), APPS.values(), ids=APPS)
async def test_libraries(app, found):
    """Also for who is let in; the proxy in front of them is clean."""
    page = "https://www.myapp.com" if "dot" in found else APP
    with wsgi(app) as url:
        report = await probe(Target(f"{url}/data", (page,)))
        async with running_proxy(config(url, policy={"allow_origins": [page], "allow_credentials": True})) as proxy:
            ours = await probe(Target(f"http://{proxy.host}:{proxy.port}/data", (page,)))
    assert severities(report) == found
    assert severities(ours) == {}
