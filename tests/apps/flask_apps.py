"""Flask applications as people write them: without CORS, with Flask-CORS, and with the headers written by hand."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, jsonify, make_response, redirect, request
from flask_cors import CORS


def plain() -> Flask:
    """An API that has never heard of CORS."""
    app = Flask("plain")

    @app.get("/data")
    def read() -> Response:
        response = jsonify(items=[1, 2, 3], name="caf\u00e9")
        response.headers["X-Total-Count"] = "3"
        return response

    @app.route("/data", methods=["POST", "PUT", "PATCH"])
    def write() -> tuple[Response, int]:
        return jsonify(method=request.method, sent=request.get_json(), origin=request.headers.get("Origin")), 201

    @app.route("/public/data", methods=["GET", "PUT"])
    def public() -> str:
        return "for everybody"

    @app.delete("/data")
    def delete() -> tuple[str, int]:
        return "", 204

    @app.get("/moved")
    def moved() -> Any:
        return redirect("/data")

    @app.get("/boom")
    def boom() -> tuple[Response, int]:
        return jsonify(error="boom"), 500

    return app


def with_flask_cors(**options: Any) -> Flask:
    """The same, with Flask-CORS."""
    app = plain()
    CORS(app, **options)
    return app


class ByHand:
    """An API whose view answers OPTIONS and sets the headers in every branch; ``calls`` are the methods that came."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.app = Flask("by hand")
        self.app.add_url_rule("/data", view_func=self.view, methods=["GET", "POST", "PUT", "OPTIONS"])

    def view(self) -> Response:
        self.calls.append(request.method)
        response = make_response("" if request.method == "OPTIONS" else "view")
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Allow-Headers"] = "*"
        response.headers["Access-Control-Allow-Methods"] = "*"
        return response
