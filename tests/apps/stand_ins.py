"""Endpoints as httpbin has them, for the Pythons on which it cannot be installed."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import brotli
from flask import Flask, Response, jsonify, redirect, request

endpoints = Flask("endpoints")
TEXT = json.dumps({"caf\u00e9": list(range(200))}).encode()


def encoded(name: str, body: bytes) -> Response:
    headers = {"Content-Encoding": name, "ETag": f'W/"{len(body)}"', "Vary": "Accept-Encoding"}
    return Response(body, headers=headers, mimetype="application/json")


@endpoints.route("/anything/<path:rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def anything(rest: str) -> Response:
    headers = {name: value for name, value in request.headers if name in {"Host", "Accept", "X-Custom", "Origin"}}
    return jsonify(method=request.method, url=request.url, headers=headers, data=request.get_data().hex(), rest=rest)


endpoints.add_url_rule("/gzip", view_func=lambda: encoded("gzip", gzip.compress(TEXT, mtime=0)))
endpoints.add_url_rule("/brotli", view_func=lambda: encoded("br", brotli.compress(TEXT)), endpoint="brotli")
endpoints.add_url_rule("/deflate", view_func=lambda: encoded("deflate", zlib.compress(TEXT)), endpoint="deflate")


@endpoints.route("/status/<int:code>", methods=["GET", "POST"])
def status(code: int) -> tuple[str, int]:
    return "", code


@endpoints.get("/redirect/<int:_>")
def relative(_: int) -> Any:
    return redirect("/gzip")


@endpoints.get("/absolute-redirect/<int:_>")
def absolute(_: int) -> Any:
    return redirect(f"{request.host_url}gzip", 301)


@endpoints.get("/redirect-to")
def elsewhere() -> Any:
    return redirect(request.args["url"], 307)


@endpoints.get("/cookies/set")
def cookies() -> Response:
    response = redirect("/cookies")
    for name, value in request.args.items():
        response.set_cookie(name, value)
    return response  # type: ignore[return-value]  # werkzeug's response is what Flask wants


@endpoints.get("/response-headers")
def response_headers() -> Response:
    return Response("{}", headers=list(request.args.items(multi=True)))


@endpoints.get("/bytes/<int:count>")
def some_bytes(count: int) -> Response:
    return Response(bytes(range(256)) * (count // 256), mimetype="application/octet-stream")


@endpoints.get("/stream-bytes/<int:count>")
def stream_bytes(count: int) -> Response:
    return Response(bytes([index % 256]) * 100 for index in range(count // 100))


@endpoints.get("/range/<int:count>")
def part(count: int) -> Any:
    response = Response(bytes(range(256)) * (count // 256), mimetype="application/octet-stream")
    return response.make_conditional(request, accept_ranges=True, complete_length=count)


@endpoints.get("/etag/<etag>")
def tagged(etag: str) -> Any:
    response = Response("tagged")
    response.set_etag(etag)
    return response.make_conditional(request)


@endpoints.get("/basic-auth/<user>/<password>")
def basic_auth(user: str, password: str) -> Response:
    if request.authorization and request.authorization.parameters == {"username": user, "password": password}:
        return jsonify(user=user)
    return Response(status=401, headers={"WWW-Authenticate": 'Basic realm="Fake Realm"'})
