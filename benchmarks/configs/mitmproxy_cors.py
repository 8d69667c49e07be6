"""The CORS rule as an addon of mitmproxy, with every body streamed."""

from __future__ import annotations

import os

from mitmproxy import http

ORIGIN = os.environ["ORIGIN"]
PREFLIGHT = {
    "Access-Control-Allow-Origin": ORIGIN,
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Allow-Methods": os.environ["METHODS"],
    "Access-Control-Allow-Headers": os.environ["HEADERS"],
    "Access-Control-Max-Age": os.environ["MAX_AGE"],
    "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
}


def requestheaders(flow: http.HTTPFlow) -> None:
    if flow.request.method == "OPTIONS" and "Access-Control-Request-Method" in flow.request.headers:
        if flow.request.headers.get("Origin") == ORIGIN:
            flow.response = http.Response.make(204, b"", PREFLIGHT)
        else:
            flow.response = http.Response.make(403, b"", {"Vary": "Origin"})
    elif flow.request.headers.get("Content-Length", "0") != "0":
        flow.request.stream = True


def responseheaders(flow: http.HTTPFlow) -> None:
    if flow.response is None:
        return
    flow.response.stream = True
    headers = flow.response.headers
    headers.pop("Access-Control-Allow-Origin", None)
    headers.pop("Access-Control-Allow-Credentials", None)
    if flow.request.headers.get("Origin") == ORIGIN:
        headers["Access-Control-Allow-Origin"] = ORIGIN
        headers["Access-Control-Allow-Credentials"] = "true"
    headers["Vary"] = ", ".join([*headers.get_all("Vary"), "Origin"])
