"""A curl command as developer tools copy it ("Copy as cURL"), read as the request of a page.

The words are split by the shell's own rules (``shlex``), with bash's ``$'...'``, after those of Windows' cmd, in which
every ``^`` stands before a character that means itself.  Of curl's options those count that change the request, and the
others are passed over.
"""

from __future__ import annotations

import argparse
import re
import shlex
from typing import Final, NoReturn

from corsproxy.cors.browsers_own import scripts_own
from corsproxy.cors.fetch import Credentials, Request, get, origin_of
from corsproxy.errors import CorsproxyError


class Unreadable(CorsproxyError):
    """A pasted call that cannot be read; the text says what is missing."""


_ANSI_C: Final = re.compile(r"\$'((?:[^'\\]|\\.)*)'")
_ESCAPED: Final = re.compile(r"\^(.)", re.DOTALL)
_CONTINUED: Final = re.compile(r"(?:\\|\^|`)\r?\n")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Unreadable(f"this curl command cannot be read: {message}")


def _parser() -> _Parser:
    parser = _Parser("curl", add_help=False, allow_abbrev=False)
    parser.add_argument("urls", nargs="*")
    parser.add_argument("--url", action="append", default=[])
    parser.add_argument("-X", "--request")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-A", "--user-agent")
    parser.add_argument("-e", "--referer")
    parser.add_argument("-b", "--cookie")
    parser.add_argument("-u", "--user")
    parser.add_argument("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", action="append", default=[])
    parser.add_argument(
        "--data-urlencode",
        "--json",
        "-F",
        "--form",
        "-T",
        "--upload-file",
        action="append",
        default=[],
        dest="other_data",
    )
    parser.add_argument("-I", "--head", action="store_true")
    parser.add_argument("-G", "--get", action="store_true")
    for flag in (
        "-i",
        "-s",
        "-S",
        "-k",
        "-L",
        "-v",
        "-g",
        "--compressed",
        "--insecure",
        "--location",
        "--silent",
        "--http1.1",
        "--http2",
        "--globoff",
    ):
        parser.add_argument(flag, action="store_true")
    for ignored in (
        "-o",
        "--output",
        "-m",
        "--max-time",
        "--connect-timeout",
        "-x",
        "--proxy",
        "-w",
        "--write-out",
        "--cacert",
    ):
        parser.add_argument(ignored)
    return parser


def read_curl(text: str, origin: str = "") -> Request:
    """The request that a page of ``origin`` would make with this command's method, headers and cookies.

    The command's own Origin header, or else its Referer, names the page where ``origin`` is "".  Raises Unreadable.
    """
    told = _parser().parse_args(_words(text)[1:])
    urls = [*told.urls, *told.url]
    if len(urls) != 1:
        raise Unreadable(f"a curl command has one URL, and this one has {len(urls)}; paste the command whole")
    headers = tuple(_header(line) for line in told.header)
    page = origin or _page(headers, told.referer or "")
    cookies = told.cookie is not None or get(headers, b"cookie") is not None
    return Request(
        url=urls[0],
        origin=page.encode("latin-1", "replace"),
        method=_method(told).encode("latin-1", "replace"),
        headers=_of_the_script(headers, told),
        credentials=Credentials.INCLUDE if cookies else Credentials.SAME_ORIGIN,
    )


def _words(text: str) -> list[str]:
    plain = _CONTINUED.sub(" ", text.strip())
    if '^"' in plain:
        plain = _ESCAPED.sub(r"\1", plain)
    plain = _ANSI_C.sub(lambda match: shlex.quote(_unescaped(match[1])), plain)
    try:
        words = shlex.split(plain)
    except ValueError as error:
        raise Unreadable(f"the quotes of this command do not match ({error}); paste the command whole") from None
    if not words or words[0].rpartition("/")[2].removesuffix(".exe") != "curl":
        raise Unreadable("this is no curl command")
    return words


def _unescaped(text: str) -> str:
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape")


def _header(line: str) -> tuple[bytes, bytes]:
    name, _, value = line.partition(":")
    return name.strip().encode("latin-1", "replace"), value.strip().encode("latin-1", "replace")


def _page(headers: tuple[tuple[bytes, bytes], ...], referer: str) -> str:
    said = get(headers, b"origin")
    if said is not None:
        return said.decode("latin-1")
    url = referer or (get(headers, b"referer") or b"").decode("latin-1")
    if not url:
        raise Unreadable("the command names no page (no Origin and no Referer header); add --origin")
    return origin_of(url).decode("latin-1")


def _method(told: argparse.Namespace) -> str:
    if told.request:
        return str(told.request)
    if told.head:
        return "HEAD"
    return "POST" if (told.data or told.other_data) and not told.get else "GET"


def _of_the_script(
    headers: tuple[tuple[bytes, bytes], ...], told: argparse.Namespace
) -> tuple[tuple[bytes, bytes], ...]:
    own = scripts_own(headers)
    if told.user and get(own, b"authorization") is None:
        own = (*own, (b"authorization", b"Basic ..."))
    if told.data and get(own, b"content-type") is None:
        own = (*own, (b"content-type", b"application/x-www-form-urlencoded"))
    return own
