"""Many of them behind any balancer: what one is asked, another may answer (docs/scaling.md)."""

from __future__ import annotations

import itertools

from tests.e2e.messages import answer
from tests.e2e.rig import ORIGIN, STRANGER, RawUpstream, answering, config, preflight, running_proxy

POLICY = {"allow_origins": ["https://app.example.com"], "allow_methods": ["PUT"], "allow_credentials": True}
ASKED = [
    *(preflight(b"PUT"), (b"PUT /x", ORIGIN), preflight(b"PATCH"), (b"GET /x", STRANGER), (b"GET /x", ORIGIN)),
    *(preflight(b"PUT", origin=STRANGER), (b"GET /x",), (b"DELETE /x", ORIGIN)),
]
OF_ONE_PROCESS = (b"date", b"via")


def shown(response):
    fields = [(name, value) for name, value in response.fields if name.lower() not in OF_ONE_PROCESS]
    return response.start, fields, response.body


async def test_a_balancer_may_send_each_request_to_another_one():
    """The answers of three in turn, preflights apart from their requests, are those of one alone."""
    async with RawUpstream(answering(answer(b"200 OK", body=b"hello"))) as upstream:
        text = config(upstream.url, policy=POLICY)
        async with running_proxy(text) as alone, running_proxy(text) as second, running_proxy(text) as third:
            expected = [shown(await alone.ask(*lines)) for lines in ASKED]
            for start in range(3):
                turns = itertools.islice(itertools.cycle([alone, second, third]), start, None)
                assert [shown(await next(turns).ask(*lines)) for lines in ASKED] == expected
