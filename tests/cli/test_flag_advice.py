"""The fix where no file was written: each row is a denial, and what to start the proxy again with."""

import pytest

from corsproxy.cli.flag_advice import advise_dev, advise_serve
from corsproxy.cors.decision import Decision, Outcome

AGAIN = "start it again with "
SERVE = [
    (Outcome.DENIED_ORIGIN, b"https://a.example", f"{AGAIN}`--allow-origin https://a.example` as well"),
    (Outcome.PREFLIGHT_DENIED_ORIGIN, b"https://a.example", f"{AGAIN}`--allow-origin https://a.example` as well"),
    (Outcome.PREFLIGHT_DENIED_METHOD, b"PUT", f"{AGAIN}`--allow-method PUT` as well"),
    (Outcome.PREFLIGHT_DENIED_METHOD, b"A'B", f"{AGAIN}`--allow-method 'A'\"'\"'B'` as well"),
    (Outcome.PREFLIGHT_DENIED_HEADERS, b"x-a, x-b", f"{AGAIN}`--allow-header x-a --allow-header x-b` as well"),
    (Outcome.DENIED_ORIGIN, b"null", "give the page an origin of its own"),
    (Outcome.PREFLIGHT_DENIED_METHOD, b"TRACE", "no policy can allow this"),
    (Outcome.PREFLIGHT_DENIED_PRIVATE_NETWORK, b"https://a.example", "set `allow_private_network: true`"),
]


@pytest.mark.parametrize(("outcome", "subject", "said"), SERVE)
def test_what_serve_is_started_again_with(outcome, subject, said):
    assert advise_serve(Decision(outcome, subject=subject), "web-app").startswith(said)


USE = "whose pages may then use the API with cookies, and one more for each other origin that you need"
UNWISE = "; it is http, so that anyone on the way can act as it"
DEV = [
    (b"https://a.example", f"{AGAIN}`--allow-origin https://a.example`, {USE}"),
    (b"http://a.example", f"{AGAIN}`--allow-origin http://a.example`, {USE}{UNWISE}"),
    (b"http://localhost:1", f"{AGAIN}`--allow-origin http://localhost:1`, {USE}"),
]


@pytest.mark.parametrize(("origin", "said"), DEV)
def test_what_dev_is_started_again_with(origin, said):
    assert advise_dev(Decision(Outcome.DENIED_ORIGIN, subject=origin), "dev") == said


@pytest.mark.parametrize(("origin", "said"), [(b"null", "give the page an origin"), (b"x", "no policy can allow this")])
def test_what_no_flag_of_dev_allows(origin, said):
    assert advise_dev(Decision(Outcome.DENIED_ORIGIN, subject=origin), "dev").startswith(said)
