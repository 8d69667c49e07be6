"""Conformance: what CORS obliges a server to, as vectors on the wire, and a runner for any server.

Rules: vectors are data (``vectors/*.yaml``) and know no server; a target (``target.py``) turns a setting into a running
server and knows no vector; the runner holds the one against the other, byte by byte and as a browser would.

``model`` says what a vector is, ``load`` reads them, ``upstream`` plays the server behind the proxy, ``wire`` asks,
``judge`` compares, ``runner`` leads, ``report`` counts, and ``junit`` and ``html`` write it down.
"""
