"""Pasted calls: what developer tools copy and what people write, as the request of a page."""

import pytest

from corsproxy.cors.fetch import Credentials, Mode, Upload
from corsproxy.tools.pasted.curl import Unreadable, read_curl
from corsproxy.tools.pasted.script import is_script, read_script

PAGE = "http://localhost:5173"
API = "http://localhost:8080/orders/1"

COPIED_AS_FETCH = """fetch("http://localhost:8080/orders/1", {
  "headers": {
    "accept": "*/*",
    "content-type": "application/json",
    "x-api-key": "secret"
  },
  "referrer": "http://localhost:5173/cart",
  "body": "{\\"quantity\\":2}",
  "method": "PUT",
  "mode": "cors",
  "credentials": "include"
});"""


def test_what_chromium_copies_as_fetch():
    request = read_script(COPIED_AS_FETCH)
    assert request.url == API
    assert request.origin == PAGE.encode()
    assert request.method == b"PUT"
    assert request.credentials is Credentials.INCLUDE
    assert (b"x-api-key", b"secret") in request.headers


def test_what_firefox_copies_as_fetch():
    request = read_script(
        'await fetch("http://localhost:8080/orders/1", {"credentials": "omit", "headers": {"Accept": "*/*"}, '
        '"referrer": "http://localhost:5173/", "method": "GET", "mode": "cors"});'
    )
    assert (request.method, request.credentials) == (b"GET", Credentials.OMIT)


def test_what_people_write():
    request = read_script(
        "const answer = await fetch(`/orders/${id}`, {method: 'delete', headers: {...common, Authorization: token()}})",
        PAGE,
    )
    assert request.url == "http://localhost:5173/orders/${id}"
    assert request.method == b"delete"
    assert request.headers == ((b"Authorization", b"?"),)


def test_a_body_of_text_has_the_type_that_the_browser_gives_it():
    assert read_script(f"fetch('{API}', {{method: 'POST', body: 'a=b'}})", PAGE).headers == (
        (b"content-type", b"text/plain;charset=UTF-8"),
    )


def test_headers_as_pairs_and_a_streamed_body():
    request = read_script(f"fetch('{API}', {{headers: [['X-A', 1], 'odd'], duplex: 'half', mode: 'no-cors'}})", PAGE)
    assert request.headers == ((b"X-A", b"1"),)
    assert (request.upload, request.mode) == (Upload.STREAM, Mode.NO_CORS)


def test_xml_http_request():
    request = read_script(
        f"var x = new XMLHttpRequest(); x.open('PATCH', '{API}'); x.withCredentials = true; "
        "x.setRequestHeader('X-A', 'b'); x.upload.onprogress = show; x.send()",
        PAGE,
    )
    assert (request.method, request.credentials, request.upload) == (b"PATCH", Credentials.INCLUDE, Upload.WATCHED)
    assert request.headers == ((b"X-A", b"b"),)


def test_what_chromium_copies_for_node_js():
    request = read_script(
        'fetch("http://localhost:8080/orders/1", {"headers": {"accept": "*/*", "cache-control": "no-cache", '
        '"priority": "u=1, i", "sec-fetch-mode": "cors", "x-a": "1", "cookie": "sid=1", '
        '"Referer": "http://localhost:5173/"}, "body": null, "method": "GET"});'
    )
    assert (request.origin, request.credentials) == (PAGE.encode(), Credentials.INCLUDE)
    assert request.headers == ((b"x-a", b"1"),)


JSON = (b"Content-Type", b"application/json")
AXIOS = [
    (f"axios.get('{API}')", b"GET", (), Credentials.SAME_ORIGIN),
    (
        f"axios.post('{API}', {{a: 1}}, {{headers: {{'X-A': 1}}}})",
        b"POST",
        ((b"X-A", b"1"), JSON),
        Credentials.SAME_ORIGIN,
    ),
    (f"axios.post('{API}', {{a: 1}})", b"POST", (JSON,), Credentials.SAME_ORIGIN),
    (f"axios.patch('{API}', 'a=b', {{withCredentials: true}})", b"PATCH", (), Credentials.INCLUDE),
    (f"axios({{url: '{API}', method: 'delete', data: order}})", b"DELETE", (JSON,), Credentials.SAME_ORIGIN),
    ("axios({baseURL: 'http://localhost:8080/', url: '/orders/1'})", b"GET", (), Credentials.SAME_ORIGIN),
    (
        f"axios('{API}', {{method: 'put', headers: {{'content-type': 'text/csv'}}, data: []}})",
        b"PUT",
        ((b"content-type", b"text/csv"),),
        Credentials.SAME_ORIGIN,
    ),
]


@pytest.mark.parametrize(("script", "method", "headers", "credentials"), AXIOS)
def test_axios(script, method, headers, credentials):
    request = read_script(f"const found = await {script};", PAGE)
    assert (request.url, request.method, request.headers, request.credentials) == (API, method, headers, credentials)


@pytest.mark.parametrize(
    ("script", "origin", "message"),
    [
        ("fetch(url)", PAGE, "the call's URL is no literal"),
        (f"fetch('{API}')", "", "add --origin"),
        (f"fetch('{API}', {{referrer: 'about:client'}})", "", "add --origin"),
        ("alert(1)", PAGE, r"there is no fetch\(\.\.\.\)"),
    ],
)
def test_what_a_call_does_not_say_is_asked_for(script, origin, message):
    with pytest.raises(Unreadable, match=message):
        read_script(script, origin)


def test_what_is_a_script():
    assert is_script("x.open('GET', '/')")
    assert not is_script("prefetched")


COPIED_AS_CURL = r"""curl 'http://localhost:8080/orders/1' \
  -X 'PUT' \
  -H 'Accept: */*' \
  -H 'Origin: http://localhost:5173' \
  -H 'Content-Type: application/json' \
  -H 'Cookie: session=1' \
  -H 'Sec-Fetch-Mode: cors' \
  --data-raw $'{"note":"it\'s"}' \
  --compressed"""


def test_what_chromium_copies_as_curl():
    request = read_curl(COPIED_AS_CURL)
    assert (request.url, request.origin, request.method) == (API, PAGE.encode(), b"PUT")
    assert request.headers == ((b"Content-Type", b"application/json"),)
    assert request.credentials is Credentials.INCLUDE


COPIED_FOR_CMD = r"""curl ^"http://localhost:8080/orders/1^" ^
  -X ^"PUT^" ^
  -H ^"Origin: http://localhost:5173^" ^
  -H ^"sec-ch-ua: ^\^"Chromium^\^";v=^\^"156^\^"^" ^
  -H ^"content-type: application/json^" ^
  -H ^"x-share: 100^%^" ^
  --data-raw ^"^{^\^"note^\^":^\^"a ^& b^\^"^}^" """


def test_what_chromium_copies_for_windows():
    request = read_curl(COPIED_FOR_CMD.replace("\n", "\r\n"))
    assert (request.url, request.origin, request.method) == (API, PAGE.encode(), b"PUT")
    assert request.headers == ((b"content-type", b"application/json"), (b"x-share", b"100%"))


CURLS = [
    (f"curl -d a=b {API}", b"POST", ((b"content-type", b"application/x-www-form-urlencoded"),)),
    (f"curl -G -d a=b {API}", b"GET", ((b"content-type", b"application/x-www-form-urlencoded"),)),
    (f"curl -I {API}", b"HEAD", ()),
    (f"curl -u me:secret --url {API}", b"GET", ((b"authorization", b"Basic ..."),)),
    (f"/usr/bin/curl -sS -o /dev/null --max-time 3 -H 'X-A: 1' {API}", b"GET", ((b"X-A", b"1"),)),
]


@pytest.mark.parametrize(("command", "method", "headers"), CURLS)
def test_options_that_change_the_request(command, method, headers):
    request = read_curl(command, PAGE)
    assert (request.method, request.headers) == (method, headers)


def test_the_referer_names_the_page():
    assert read_curl(f"curl -H 'Referer: http://localhost:5173/cart' {API}").origin == PAGE.encode()
    assert read_curl(f"curl -e http://localhost:5173/cart {API}").origin == PAGE.encode()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("wget x", "no curl command"),
        (f"curl '{API}", "the quotes of this command do not match"),
        ("curl -H 'Origin: http://a.example'", "one URL, and this one has 0"),
        (f"curl {API}", "add --origin"),
        (f"curl -X -- {API}", "cannot be read"),
    ],
)
def test_what_a_command_does_not_say_is_asked_for(command, message):
    with pytest.raises(Unreadable, match=message):
        read_curl(command)
