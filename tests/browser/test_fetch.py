"""What a script asks for with fetch and XMLHttpRequest: read through the proxy, blocked without it."""

from __future__ import annotations

import pytest

from tests.browser.cases import WAYS, Case

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEXT = "content-type: text/plain;charset=UTF-8"
ITEMS = [200, '[{"id": 7, "title": "Ulysses"}]']

CASES = [
    Case(
        name="simple GET",
        script="return ask(api + '/items')",
        sees=ITEMS,
        reached=[("GET /items",)],
    ),
    Case(
        name="HEAD",
        script="return ask(api + '/items', {method: 'HEAD'})",
        sees=[200, ""],
        reached=[("HEAD /items",)],
    ),
    Case(
        name="query byte for byte",
        script="return ask(api + '/items?q=%2F%c3%a4+b&&=')",
        sees=ITEMS,
        reached=[("GET /items?q=%2F%c3%a4+b&&=",)],
    ),
    Case(
        name="POST of text",
        script="return ask(api + '/items', {method: 'POST', body: 'Emma'})",
        sees=[201, "POST Emma"],
        reached=[("POST /items", "content-length: 4", TEXT)],
    ),
    Case(
        name="POST of a form",
        script="return ask(api + '/items', {method: 'POST', body: new URLSearchParams({title: 'Emma & co'})})",
        sees=[201, "POST title=Emma+%26+co"],
        reached=[
            ("POST /items", "content-length: 17", "content-type: application/x-www-form-urlencoded;charset=UTF-8")
        ],
    ),
    Case(
        name="POST of JSON",
        policy="{allow_headers: [Content-Type]}",
        script="""
            const headers = {"Content-Type": "application/json"};
            return ask(api + "/items", {method: "POST", headers, body: '{"title": "Emma"}'});
        """,
        sees=[201, 'POST {"title": "Emma"}'],
        reached=[("POST /items", "content-length: 17", "content-type: application/json")],
        preflight=(
            "OPTIONS /items",
            "access-control-request-headers: content-type",
            "access-control-request-method: POST",
        ),
    ),
    *(
        Case(
            name=method,
            policy="{allow_methods: [PUT, PATCH, DELETE]}",
            script=f"return ask(api + '/items/7', {{method: '{method}', body: 'Emma'}})",
            sees=[200, f"{method} Emma"],
            reached=[(f"{method} /items/7", "content-length: 4", TEXT)],
            preflight=("OPTIONS /items/7", f"access-control-request-method: {method}"),
        )
        for method in ("PUT", "PATCH", "DELETE")
    ),
    Case(
        name="any method",
        policy='{allow_methods: "*"}',
        script="return ask(api + '/items/7', {method: 'PATCH'})",
        sees=[200, "PATCH "],
        reached=[("PATCH /items/7",)],
        preflight=("OPTIONS /items/7", "access-control-request-method: PATCH"),
    ),
    Case(
        name="any method with credentials",
        policy='{allow_methods: "*", allow_credentials: true}',
        script="return ask(api + '/items/7', {method: 'DELETE', credentials: 'include'})",
        sees=[200, "DELETE "],
        reached=[("DELETE /items/7",)],
        preflight=("OPTIONS /items/7", "access-control-request-method: DELETE"),
    ),
    Case(
        name="custom headers",
        policy="{allow_headers: [X-Api-Key, X-Trace]}",
        script="return ask(api + '/items', {headers: {'X-Trace': '1', 'X-Api-Key': 'k'}})",
        sees=ITEMS,
        reached=[("GET /items", "x-api-key: k", "x-trace: 1")],
        preflight=(
            "OPTIONS /items",
            "access-control-request-headers: x-api-key,x-trace",
            "access-control-request-method: GET",
        ),
    ),
    *(
        Case(
            name=f"Authorization under the star, {credentials}",
            policy=policy,
            script=f"""
                const headers = {{"Authorization": "Bearer t", "X-Any": "1"}};
                return ask(api + "/items", {{headers, credentials: "{credentials}"}});
            """,
            sees=ITEMS,
            reached=[("GET /items", "authorization: Bearer t", "x-any: 1")],
            preflight=(
                "OPTIONS /items",
                "access-control-request-headers: authorization,x-any",
                "access-control-request-method: GET",
            ),
        )
        for credentials, policy in (
            ("omit", '{allow_headers: "*"}'),
            ("include", '{allow_headers: "*", allow_credentials: true}'),
        )
    ),
    Case(
        name="cookie set and sent back",
        policy="{allow_credentials: true}",
        script="""
            await ask(api + "/login", {method: "POST", credentials: "include"});
            return [await ask(api + "/me", {credentials: "include"}), await ask(api + "/me")];
        """,
        sees=[[200, "ada"], [200, "nobody"]],
        reached=[("POST /login", "content-length: 0"), ("GET /me", "cookie: session=ada"), ("GET /me",)],
    ),
    Case(
        name="exposed headers",
        policy="{expose_headers: [X-Total-Count]}",
        script="""
            const answer = await fetch(api + "/items");
            return [answer.headers.get("X-Total-Count"), answer.headers.get("X-Page")];
        """,
        sees=["1", None],
        reached=[("GET /items",)],
    ),
    *(
        Case(
            name=f"all headers exposed, {credentials}",
            policy=policy,
            script=f"""
                const answer = await fetch(api + "/items", {{credentials: "{credentials}"}});
                return [answer.headers.get("X-Total-Count"), answer.headers.get("X-Page")];
            """,
            sees=["1", "1 of 1"],
            reached=[("GET /items",)],
        )
        for credentials, policy in (
            ("omit", '{expose_headers: "*"}'),
            ("include", '{expose_headers: "*", allow_credentials: true}'),
        )
    ),
    Case(
        name="Range",
        policy="{expose_headers: [Content-Range]}",
        script="""
            const answer = await fetch(api + "/book", {headers: {Range: "bytes=8-13"}});
            return [answer.status, await answer.text(), answer.headers.get("Content-Range")];
        """,
        sees=[206, " plump", "bytes 8-13/28"],
        reached=[("GET /book", "range: bytes=8-13")],
    ),
    Case(
        name="suffix Range",  # not safelisted: https://fetch.spec.whatwg.org/#cors-safelisted-request-header
        policy="{allow_headers: [Range], expose_headers: [Content-Range]}",
        script="""
            const answer = await fetch(api + "/book", {headers: {Range: "bytes=-8"}});
            return [answer.status, await answer.text(), answer.headers.get("Content-Range")];
        """,
        sees=[206, "Mulligan", "bytes 20-27/28"],
        reached=[("GET /book", "range: bytes=-8")],
        preflight=("OPTIONS /book", "access-control-request-headers: range", "access-control-request-method: GET"),
    ),
    Case(
        name="Range beyond the end",
        policy="{expose_headers: [Content-Range]}",
        script="""
            const answer = await fetch(api + "/book", {headers: {Range: "bytes=99-"}});
            return [answer.status, answer.headers.get("Content-Range")];
        """,
        sees=[416, "bytes */28"],
        reached=[("GET /book", "range: bytes=99-")],
    ),
    Case(
        name="kept answer that has not changed",
        script="return [await ask(api + '/fresh'), await ask(api + '/fresh')]",
        sees=[[200, "the first edition"], [200, "the first edition"]],
        reached=[("GET /fresh",), ("GET /fresh", 'if-none-match: "1"')],
    ),
    *(
        Case(
            name=f"readable {status}",
            script=f"return ask(api + '/status/{status}')",
            sees=[status, f"the shop says {status}"],
            reached=[(f"GET /status/{status}",)],
        )
        for status in (401, 404, 500)
    ),
    Case(
        name="method that the API does not know",
        policy="{allow_methods: [PUT]}",
        script="return (await fetch(api + '/items', {method: 'PUT'})).status",
        sees=405,
        reached=[("PUT /items", "content-length: 0")],
        preflight=("OPTIONS /items", "access-control-request-method: PUT"),
    ),
    Case(
        name="XMLHttpRequest",
        policy="{expose_headers: [X-Total-Count], allow_credentials: true}",
        script="""
            const xhr = new XMLHttpRequest();
            xhr.open("GET", api + "/items");
            xhr.withCredentials = true;
            xhr.send();
            await new Promise(done => xhr.onloadend = done);
            return [xhr.status, xhr.responseText, xhr.getResponseHeader("X-Total-Count")];
        """,
        sees=[*ITEMS, "1"],
        reached=[("GET /items",)],
        blocked=[0, "", None],
        initiator="XMLHttpRequest",
    ),
    Case(
        name="XMLHttpRequest with upload progress",  # https://xhr.spec.whatwg.org/#upload-listener-flag: a preflight
        script="""
            const xhr = new XMLHttpRequest();
            let progress = null;
            xhr.upload.onprogress = event => progress = [event.loaded, event.total];
            xhr.open("POST", api + "/upload");
            xhr.send(new Blob(["x".repeat(2_000_000)]));
            await new Promise(done => xhr.onloadend = done);
            return [xhr.status, xhr.responseText, progress];
        """,
        sees=[200, "2000000 bytes", [2_000_000, 2_000_000]],
        reached=[("POST /upload", "content-length: 2000000")],
        preflight=("OPTIONS /upload", "access-control-request-method: POST"),
        blocked=[0, "", None],
        initiator="XMLHttpRequest",
    ),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_page_asks(shop_with, case, way):
    await way(shop_with, case)
