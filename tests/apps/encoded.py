"""An API that encodes its content, with what goes with that: an entity tag, a length, and Vary."""

from __future__ import annotations

import gzip
import json
import zlib

import brotli
from flask import Flask, Response

endpoints = Flask("endpoints")
TEXT = json.dumps({"caf\u00e9": list(range(200))}).encode()


def encoded(name: str, body: bytes) -> Response:
    headers = {"Content-Encoding": name, "ETag": f'W/"{len(body)}"', "Vary": "Accept-Encoding"}
    return Response(body, headers=headers, mimetype="application/json")


endpoints.add_url_rule("/gzip", view_func=lambda: encoded("gzip", gzip.compress(TEXT, mtime=0)))
endpoints.add_url_rule("/brotli", view_func=lambda: encoded("br", brotli.compress(TEXT)), endpoint="brotli")
endpoints.add_url_rule("/deflate", view_func=lambda: encoded("deflate", zlib.compress(TEXT)), endpoint="deflate")
