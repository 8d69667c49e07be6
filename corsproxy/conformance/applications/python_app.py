"""Flask-CORS, django-cors-headers and Starlette's CORSMiddleware, each in its framework's own development server.

Started with a JSON text; ``policy`` has the library's own options already.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from corsproxy.conformance.applications import upstream

Told = Mapping[str, Any]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def run_flask(told: Told) -> None:
    """As https://flask-cors.readthedocs.io/en/latest/ says."""
    from flask import Flask, Response, request
    from flask_cors import CORS

    app = Flask("conformance")
    CORS(app, **told["policy"])

    def view(path: str = "") -> Response:  # noqa: ARG001  # Flask's signature
        target = request.full_path if request.query_string else request.path
        answer = upstream.ask(tuple(told["upstream"]), request.method, target, request.headers.items(), request.data)
        return Response(answer.body, answer.status, answer.headers)

    app.add_url_rule("/", view_func=view, methods=[*METHODS, *told["methods"]])
    app.add_url_rule("/<path:path>", view_func=view, methods=[*METHODS, *told["methods"]])
    app.run(told["host"], told["port"], threaded=True, use_reloader=False)


def run_django(told: Told) -> None:
    """As https://github.com/adamchainz/django-cors-headers says."""
    import django
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.core.servers.basehttp import run
    from django.http import HttpRequest, HttpResponse
    from django.urls import re_path

    def view(request: HttpRequest) -> HttpResponse:
        asked = (tuple(told["upstream"]), request.method or "", quote(request.get_full_path(), safe="/?&=%"))
        answer = upstream.ask(*asked, request.headers.items(), request.body)
        response = HttpResponse(answer.body, status=answer.status)
        for name, value in answer.headers:
            response[name] = value
        return response

    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=(re_path("", view),),
        INSTALLED_APPS=["corsheaders"],
        MIDDLEWARE=["corsheaders.middleware.CorsMiddleware", "django.middleware.common.CommonMiddleware"],
        APPEND_SLASH=False,
        **told["policy"],
    )
    django.setup()
    run(told["host"], told["port"], WSGIHandler(), threading=True)


def run_starlette(told: Told) -> None:
    """As https://www.starlette.io/middleware/#corsmiddleware says."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.cors import CORSMiddleware
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def view(request: Request) -> Response:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        place, body = tuple(told["upstream"]), await request.body()
        answer = await asyncio.to_thread(upstream.ask, place, request.method, target, request.headers.items(), body)
        response = Response(answer.body, answer.status)
        response.raw_headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers]
        return response

    routes = [Route("/{path:path}", view, methods=[*METHODS, "OPTIONS", *told["methods"]])]
    app = Starlette(routes=routes, middleware=[Middleware(CORSMiddleware, **told["policy"])])
    uvicorn.run(app, host=told["host"], port=told["port"], log_level="warning")


RUN: dict[str, Callable[[Told], None]] = {
    "flask-cors": run_flask,
    "django-cors-headers": run_django,
    "starlette": run_starlette,
}

if __name__ == "__main__":
    asked_for = json.loads(sys.argv[1])
    RUN[asked_for["library"]](asked_for)
