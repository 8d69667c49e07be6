"""The data plane: a request from the client's socket to the upstream's and back.

``plan`` and the files that it reads (``request``, ``framing``, ``response``, ``answer``) are pure; ``walk`` follows one
request in order; ``upstream``, ``pool``, ``relay``, ``upload`` and ``tunnel`` move bytes; ``listener`` is the only file
that touches aiohttp's internals.
"""
