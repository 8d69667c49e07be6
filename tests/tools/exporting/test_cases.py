"""The cases of a policy are the policy: the same answer and the same lines, for any policy and any request."""

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corsproxy.config.table import Endpoint, Prefixes, Rule, RuleTable, Upstream
from corsproxy.cors.policy import compile_policy
from corsproxy.http.forwarded import Forwarding
from corsproxy.proxy.plan import Answer, plan
from corsproxy.proxy.request import Client, Fields, RequestHead
from corsproxy.tools.exporting.cases import Echo, Test, cors_of
from corsproxy.tools.exporting.expressions import FORBIDDEN_METHODS, SERIALIZED
from tests.cors.meaning import HEADERS, METHODS, NUMBERED, ORIGINS, policies

UPSTREAM = Upstream("api", (Endpoint(False, "127.0.0.1", 1, "", b"127.0.0.1:1"),))
ODD_ORIGINS = ["https://EXAMPLE.com", "https://example.com/", "https://example.com.", "", "nonsense", *NUMBERED]
ODD_NAMES = ["x-a,x-b", " X-A ,, x-b\t", "*", "x a", ",", "", "authorization"]
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "origin": ORIGINS | st.sampled_from(ODD_ORIGINS),
        "access-control-request-method": st.sampled_from([*METHODS, "TRACE", "connect", "A B", "get"]),
        "access-control-request-headers": st.sampled_from([*(name.lower() for name, _, _ in HEADERS), *ODD_NAMES]),
        "access-control-request-private-network": st.just("true"),
        "sec-fetch-site": st.sampled_from(["same-origin", "cross-site"]),
        "upgrade": st.just("websocket"),
    },
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(written=policies(), method=st.sampled_from(["GET", "OPTIONS", "POST"]), headers=REQUESTS)
def test_the_first_case_that_holds_is_the_decision(written, method, headers):
    policy = compile_policy(written.spec)
    cors = cors_of(policy)
    case = next(case for case in cors.cases if all(holds(test, cors, method, headers) for test in case.tests))
    fields = [(b"Host", b"api.example.com"), *((name.encode(), value.encode()) for name, value in headers.items())]
    if "upgrade" in headers:
        fields.append((b"Connection", b"Upgrade"))
    rule = Rule("", "", "/", UPSTREAM, policy)
    table = RuleTable(Forwarding.create([], "test"), (rule,), any_host=Prefixes({"": rule}, 0))
    planned = plan(table, RequestHead(method.encode(), b"/", b"1.1", Fields(fields)), Client("192.0.2.1", tls=False))
    if unspoken(planned.decision.outcome):
        return
    assert case.status == (planned.status if isinstance(planned, Answer) else None)
    assert lines(case, headers) == decided(planned.decision.lines)
    assert case.vary == tuple(name.decode() for name in planned.decision.vary)


def unspoken(outcome):
    """What is left to the browser: it refuses a private network when nothing is said of it."""
    return outcome == "preflight-denied-private-network"


def holds(test, cors, method, headers):
    origin, asked = headers.get("origin"), headers.get("access-control-request-method")
    names = headers.get("access-control-request-headers", "")
    answers = {
        Test.PREFLIGHT: method == "OPTIONS" and origin is not None and asked is not None,
        Test.ORIGIN: origin is not None,
        Test.ALLOWED: origin is not None and allowed(cors.origins, origin),
        Test.TIMED: origin is not None and allowed(cors.timed, origin),
        Test.METHOD: asked is not None and full(cors.methods, asked),
        Test.FORBIDDEN: asked is not None and full(FORBIDDEN_METHODS, asked),
        Test.HEADERS: full(cors.headers, names, re.IGNORECASE),
        Test.PRIVATE: headers.get("access-control-request-private-network") == "true",
        Test.OWN: headers.get("sec-fetch-site") == "same-origin" or origin == "http://api.example.com",
        Test.UPGRADE: "upgrade" in headers,
    }
    return answers[test]


def allowed(origins, origin):
    if origins is None or any(full(expression, origin) for expression in origins.plain):
        return True
    return origins.regex is not None and full(origins.regex, origin) and full(SERIALIZED, origin)


def full(expression, text, flags=0):
    return re.fullmatch(expression, text, flags | re.ASCII) is not None


def lines(case, headers):
    echoed = [(name, headers.get(value.value.lower(), "") if isinstance(value, Echo) else value)
              for name, value in case.lines]  # fmt: skip
    return as_sets((name, value) for name, value in echoed if value)


def decided(written):
    return as_sets(line.decode().split(": ", 1) for line in written.split(b"\r\n") if line)


def as_sets(found):
    """Names of headers are the same in any case and order, and empty items are none."""
    return sorted(
        (name, sorted({item.strip(" \t").lower() for item in value.split(",")} - {""})) for name, value in found
    )
