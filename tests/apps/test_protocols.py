"""What else speaks HTTP, behind the proxy: GraphQL, gRPC-Web, SOAP, and content in gzip and Brotli."""

from __future__ import annotations

import base64
import gzip
import json
import struct
import xml.etree.ElementTree as ET

import brotli
import pytest
from flask import Flask, Response, jsonify, request
from graphql import build_schema, graphql_sync

from tests.apps.encoded import endpoints
from tests.apps.serving import APP, EVIL, JSON, ORIGIN, Place, page, wsgi
from tests.e2e.page import browse
from tests.e2e.rig import config, running_proxy

# GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/)

SCHEMA = build_schema("""
    type Query { book(id: ID!): Book }
    type Mutation { rename(id: ID!, title: String!): Book }
    type Book { id: ID! title: String! }
""")


class Library:
    """The root of the schema: books by their number."""

    def __init__(self) -> None:
        self.titles = {"1": "Notes by the translator"}

    def book(self, _info, id: str) -> dict[str, str]:  # noqa: A002  # the schema's name
        return {"id": id, "title": self.titles[id]}

    def rename(self, info, id: str, title: str) -> dict[str, str]:  # noqa: A002
        self.titles[id] = title
        return self.book(info, id)


@pytest.fixture(scope="module")
def graphql_url():
    app, library = Flask("graphql"), Library()

    @app.route("/graphql", methods=["GET", "POST"])
    def graphql():
        asked = request.args if request.method == "GET" else request.get_json()
        variables = asked.get("variables")
        result = graphql_sync(SCHEMA, asked["query"], library, variable_values=variables)
        return jsonify(result.formatted)

    with wsgi(app) as url:
        yield url


GRAPHQL = {"allow_origins": [APP], "allow_headers": ["Content-Type", "Authorization"]}


async def test_graphql_query_mutation_and_errors(graphql_url):
    rename = 'mutation($t: String!) { rename(id: "1", title: $t) { title } }'
    asked = [
        ({"query": '{ book(id: "1") { id title } }'}, {"book": {"id": "1", "title": "Notes by the translator"}}),
        ({"query": rename, "variables": {"t": "caf\u00e9 \U0001f600"}}, {"rename": {"title": "caf\u00e9 \U0001f600"}}),
        ({"query": "{ __schema { queryType { name } } }"}, {"__schema": {"queryType": {"name": "Query"}}}),
        ({"query": '{ book(id: "2") { id } }'}, {"book": None}),
    ]
    fetch = page(APP, "/graphql", method=b"POST", headers=(JSON, (b"Authorization", b"Bearer 1")))
    async with running_proxy(config(graphql_url, policy=GRAPHQL)) as proxy:
        for query, data in asked:
            visit = await browse(proxy, fetch, body=json.dumps(query).encode())
            assert json.loads(visit.body)["data"] == data
        simple = await browse(proxy, page(APP, "/graphql?query=%7B%20__typename%20%7D"))
        stranger = await browse(proxy, page(EVIL, "/graphql", method=b"POST", headers=(JSON,)), body=b"{}")
    assert json.loads(simple.body) == {"data": {"__typename": "Query"}}
    assert len(simple.responses) == 1  # no preflight
    assert not stranger.allowed


# gRPC-Web (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md): messages and trailers as frames of the body


def frame(flags: int, data: bytes) -> bytes:
    return struct.pack(">BI", flags, len(data)) + data


MESSAGES = [b"\x0a\x05hello", b"", b"\x00\xff" * 40_000]
TRAILERS = b"grpc-status: 0\r\ngrpc-message: OK\r\n"
GRPC = {
    "allow_origins": [APP],
    "allow_headers": ["Content-Type", "X-Grpc-Web", "X-User-Agent", "Grpc-Timeout"],
    "expose_headers": ["Grpc-Status", "Grpc-Message"],
}


@pytest.fixture(scope="module")
def grpc_url():
    app = Flask("grpc-web")

    @app.post("/echo.Echo/Say")
    def say():
        text = request.mimetype == "application/grpc-web-text"
        data = base64.b64decode(request.get_data()) if text else request.get_data()
        frames = [data, *(frame(0, message) for message in MESSAGES), frame(0x80, TRAILERS)]
        pieces = (base64.b64encode(piece) for piece in frames) if text else iter(frames)
        return Response(pieces, content_type=request.content_type)

    @app.post("/echo.Echo/Fail")
    def fail():
        headers = {"grpc-status": "5", "grpc-message": "no%20such%20thing"}
        return Response(b"", headers=headers, content_type=request.content_type)

    with wsgi(app) as url:
        yield url


@pytest.mark.parametrize("kind", [b"application/grpc-web+proto", b"application/grpc-web-text"])
async def test_grpc_web_frames_pass(grpc_url, kind):
    """A streamed answer, byte for byte, the frame with the trailers last."""
    asked = frame(0, b"\x0a\x03\xff\x00\x01")
    sent = base64.b64encode(asked) if kind.endswith(b"text") else asked
    headers = ((b"Content-Type", kind), (b"X-Grpc-Web", b"1"), (b"X-User-Agent", b"grpc-web"), (b"Grpc-Timeout", b"1S"))
    fetch = page(APP, "/echo.Echo/Say", method=b"POST", headers=headers)
    async with running_proxy(config(grpc_url, policy=GRPC)) as proxy:
        visit = await browse(proxy, fetch, body=sent)
    frames = [asked, *(frame(0, message) for message in MESSAGES), frame(0x80, TRAILERS)]
    encoded = base64.b64encode if kind.endswith(b"text") else bytes
    assert visit.body == b"".join(encoded(piece) for piece in frames)
    assert visit.responses[-1].one(b"content-type") == kind


async def test_grpc_web_status_in_the_head_is_readable(grpc_url):
    fetch = page(APP, "/echo.Echo/Fail", method=b"POST", headers=((b"Content-Type", b"application/grpc-web"),))
    async with running_proxy(config(grpc_url, policy=GRPC)) as proxy:
        visit = await browse(proxy, fetch, body=frame(0, b""))
    assert visit.allowed
    assert {b"grpc-status", b"grpc-message"} <= visit.readable


# SOAP 1.1 (https://www.w3.org/TR/2000/NOTE-SOAP-20000508/)

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


def envelope(body: str, encoding: str) -> bytes:
    start = f'<?xml version="1.0" encoding="{encoding}"?>\r\n<s:Envelope xmlns:s="{SOAP}">'
    return f"{start}<s:Body>{body}</s:Body></s:Envelope>".encode(encoding)


@pytest.fixture(scope="module")
def soap_url():
    app = Flask("soap")

    @app.post("/Quote.asmx")
    def quote():
        root = ET.fromstring(request.get_data())
        (word,) = root.iter("Word")
        if request.headers.get("SOAPAction") != '"urn:quote#Translate"':
            fault = envelope("<s:Fault><faultcode>s:Client</faultcode></s:Fault>", "utf-8")
            return Response(fault, status=500, content_type="text/xml; charset=utf-8")
        answer = envelope(f"<Said>{word.text}</Said>", "iso-8859-1")
        return Response(answer, content_type='text/xml; charset="ISO-8859-1"')

    with wsgi(app) as url:
        yield url


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16"])
async def test_soap_call(soap_url, encoding):
    """Two encodings in one exchange, a quoted action, and nothing that the proxy would touch."""
    xml = (b"Content-Type", f"text/xml; charset={encoding}".encode())
    fetch = page(APP, "/Quote.asmx", method=b"POST", headers=(xml, (b"SOAPAction", b'"urn:quote#Translate"')))
    policy = {"allow_origins": [APP], "allow_headers": ["Content-Type", "SOAPAction"]}
    async with running_proxy(config(soap_url, policy=policy)) as proxy:
        visit = await browse(proxy, fetch, body=envelope("<Word>caf\u00e9</Word>", encoding))
    assert visit.body == envelope("<Said>caf\u00e9</Said>", "iso-8859-1")
    assert visit.responses[-1].one(b"content-type") == b'text/xml; charset="ISO-8859-1"'


async def test_soap_fault_is_readable(soap_url):
    """A fault comes with status 500 (section 6.2 there)."""
    fetch = page(APP, "/Quote.asmx", method=b"POST", headers=((b"Content-Type", b"text/xml"),))
    policy = {"allow_origins": [APP], "allow_headers": ["Content-Type"]}
    async with running_proxy(config(soap_url, policy=policy)) as proxy:
        visit = await browse(proxy, fetch, body=envelope("<Word>x</Word>", "utf-8"))
    assert visit.responses[-1].status == 500
    assert b"faultcode" in visit.body


# Content codings


@pytest.mark.parametrize(
    ("path", "name", "decode"), [("gzip", b"gzip", gzip.decompress), ("brotli", b"br", brotli.decompress)]
)
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
async def test_encoded_content_passes_untouched(path, name, decode, version):
    line = b"GET /" + path.encode()
    with wsgi(endpoints, version) as url:
        async with running_proxy(config(url, policy={"allow_origins": [APP]})) as proxy:
            through = await proxy.ask(line, ORIGIN, b"Accept-Encoding: gzip, br")
        direct = await Place(url).ask(line, b"Accept-Encoding: gzip, br")
    assert through.body == direct.body
    assert json.loads(decode(through.body)) == {"caf\u00e9": list(range(200))}
    assert through.one(b"content-encoding") == name
    assert through.one(b"content-length") == direct.one(b"content-length")
    assert through.one(b"etag") == direct.one(b"etag")
    assert through.vary == [b"accept-encoding", b"origin"]
