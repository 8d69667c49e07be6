"""An API over HTTPS, with a certificate of a private authority, where one logs in; it sends no CORS header.

Its cookie belongs to its own host, and may have whatever attributes the client asks for.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final, Self

import trustme
from aiohttp import web

USER: Final = {"name": "ada", "password": "lovelace"}

# `asked(method, path, body)` is [status, text], by fetch or by XMLHttpRequest.
FETCH: Final = """
    const asked = async (method, path, body) => {
        const headers = body ? {"Content-Type": "application/json"} : {};
        return ask(api + path, {method, body, headers, credentials: "include"});
    };
"""
XHR: Final = """
    const asked = async (method, path, body) => {
        const xhr = new XMLHttpRequest();
        xhr.open(method, api + path);
        xhr.withCredentials = true;
        if (body) xhr.setRequestHeader("Content-Type", "application/json");
        xhr.send(body);
        await new Promise(done => xhr.onloadend = done);
        return [xhr.status, xhr.responseText];
    };
"""
# Looks, logs in, looks, logs out, looks.
LOG_IN_AND_OUT: Final = """
    const user = JSON.stringify({name: "ada", password: "lovelace"});
    return [
        await asked("GET", "/me"),
        await asked("POST", "/login?cookie=" + encodeURIComponent(COOKIE), user),
        await asked("GET", "/me"),
        await asked("POST", "/logout?cookie=" + encodeURIComponent(COOKIE)),
        await asked("GET", "/me"),
    ];
"""
NOBODY: Final = [401, "log in first"]
LOGGED_IN_AND_OUT: Final = [NOBODY, [200, "welcome"], [200, "ada"], [200, "bye"], NOBODY]
NOT_KEPT: Final = [NOBODY, [200, "welcome"], NOBODY, [200, "bye"], NOBODY]


def log_in_and_out(way: str, cookie: str) -> str:
    """The script of a page that logs in by FETCH or XHR and gets this cookie, ``NAME; ATTRIBUTES``."""
    return f"const COOKIE = {cookie!r};" + way + LOG_IN_AND_OUT


class Accounts:
    """The API on a port of its own; ``origins`` are the Origin headers that it saw."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.authority = folder / "authority-of-the-api.pem"
        authority.cert_pem.write_to_path(self.authority)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self._tls)
        self.url = ""
        self.origins: set[str | None] = set()
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self.url = f"https://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        self.origins.add(request.headers.get("Origin"))
        name, _, attributes = request.query.get("cookie", "").partition(";")
        match request.method, request.path:
            case "POST", "/login" if await request.json() == USER:
                return web.Response(text="welcome", headers={"Set-Cookie": f"{name}=ada;{attributes}"})
            case "POST", "/logout":
                return web.Response(text="bye", headers={"Set-Cookie": f"{name}=; Max-Age=0;{attributes}"})
            case "GET", "/me" if "ada" in request.cookies.values():
                return web.Response(text="ada")
            case "GET", "/me":
                return web.Response(status=401, text="log in first")
            case _:
                return web.Response(status=405)
