"""The API of the examples: it has never heard of CORS, and nobody may change it."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request

app = Flask(__name__)
BOOKS = [{"id": 1, "title": "Uncle Vanya"}]


@app.get("/books")
def books() -> Response:
    """Every book."""
    return jsonify(BOOKS)


@app.post("/books")
def add() -> tuple[Response, int]:
    """A book more."""
    book = {"id": len(BOOKS) + 1, "title": str(request.get_json()["title"])}
    BOOKS.append(book)
    return jsonify(book), 201
