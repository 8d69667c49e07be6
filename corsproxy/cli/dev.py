"""``corsproxy dev``: one API, made usable from the front-end on localhost, by one command."""

from __future__ import annotations

import re
import secrets
import sys
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING

import click

from corsproxy.cli.exchange_lines import ExchangePrinter
from corsproxy.cli.flag_advice import advise_dev
from corsproxy.cli.inspecting import ADMIN, Inspection, new_token
from corsproxy.cli.learning_options import Learning, learning_options
from corsproxy.cli.local_certificate import Certificate, data_folder, local_certificate
from corsproxy.cli.one_api import TEXTS
from corsproxy.cli.remarks import Commentator
from corsproxy.cli.serve import serve_compiled
from corsproxy.cli.style import wants_colour
from corsproxy.config.addresses import parse_endpoint
from corsproxy.config.load import compile_config
from corsproxy.config.model import Config
from corsproxy.config.written import Unusable
from corsproxy.cors.origin import parse_origin
from corsproxy.cors.serialized import is_loopback
from corsproxy.errors import InvalidConfig, InvalidOrigin, Problem
from corsproxy.server.run import Observing, Plan

if TYPE_CHECKING:
    from corsproxy.cli.lesson import Lesson
    from corsproxy.config.load import Compiled
    from corsproxy.server.listening import Listening

# Every loopback origin, and nothing else: a page from the internet must not reach the API through a developer's proxy.
LOOPBACK_ORIGINS = tuple(
    f"{scheme}://{host}:*" for host in ("localhost", "127.0.0.1", "[::1]") for scheme in ("http", "https")
)
_FLAGS = {"listen[0].tls": "--cert, --key", "rules": "URL", "policies": "--allow-origin", "listen": "--listen"}
# A cookie of the API belongs to localhost now, where there is no HTTPS, and pages on it are the same site.
_HTTP_COOKIES = {"domain": "remove", "secure": False, "same_site": "lax"}
_TLS_COOKIES = {"domain": "remove"}
_LOOPBACK_HOSTS = ("localhost", "*.localhost", "127.0.0.1", "[::1]")


@click.command()
@click.argument("url")
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    type=TEXTS,
    metavar="ORIGIN",
    envvar="CORSPROXY_ALLOW_ORIGINS",
    show_envvar=True,
    help="An origin whose pages may use the API; may be repeated.  [default: any loopback origin]",
)
@click.option(
    "--allow-host",
    "names",
    multiple=True,
    metavar="NAME",
    envvar="CORSPROXY_ALLOW_HOST",
    show_envvar=True,
    help="A name of this machine that is served besides localhost, or *.NAME; may be repeated.",
)
@click.option(
    "--listen",
    default="localhost:8080",
    show_default=True,
    metavar="ADDR",
    envvar="CORSPROXY_LISTEN",
    show_envvar=True,
    help="Where to listen; localhost means both loopback families.",
)
@click.option(
    "--tls",
    is_flag=True,
    envvar="CORSPROXY_TLS",
    show_envvar=True,
    help="Serve HTTPS, with a certificate of a local authority; needs: pip install 'corsproxy[tls]'",
)
@click.option(
    "--cert",
    metavar="FILE",
    envvar="CORSPROXY_CERT",
    show_envvar=True,
    help="Serve HTTPS, with this certificate and its chain (PEM).",
)
@click.option("--key", metavar="FILE", envvar="CORSPROXY_KEY", show_envvar=True, help="The key of --cert (PEM).")
@learning_options(
    "[FILE]",
    "At the end, write the smallest rule table under which what was seen works: to FILE, or standard output.",
    is_flag=False,
    flag_value="-",
)
def dev(
    url: str,
    origins: tuple[str, ...],
    names: tuple[str, ...],
    listen: str,
    tls: bool,
    cert: str | None,
    key: str | None,
    learning: Learning,
) -> None:
    """Put a CORS proxy in front of the API at URL, for a front-end under development.

    Any page on localhost, 127.0.0.1 or [::1] may use it, with cookies; no other page may, unless --allow-origin names
    its origin.  Each exchange prints a line with its CORS verdict and what was rewritten, and why the browser said no.

    \b
        corsproxy dev https://api.example.com
        corsproxy dev http://localhost:5000 --listen localhost:9000
        corsproxy dev https://api.example.com --allow-origin https://app.test
        corsproxy dev https://api.example.com --tls
        corsproxy dev https://api.example.com --learn config.yaml
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart
    with _certificate(listen, tls, cert, key) as certificate:
        _serve(url, origins, names, listen, certificate, _lesson(url, learning))


def _serve(
    url: str,
    origins: tuple[str, ...],
    names: tuple[str, ...],
    listen: str,
    certificate: Certificate | None,
    lesson: Lesson | None,
) -> None:
    compiled = _compiled(dev_config(url, origins, listen, certificate, names))
    printer = ExchangePrinter(sys.stdout, colour=wants_colour(sys.stdout), advise=advise_dev, comment=Commentator())

    inspection = Inspection(new_token(), credentials=True, advise=advise_dev)

    def say_started(listening: Listening) -> None:
        printer.say(f"{_address(listening, listen)}  ->  {url}")
        pages = ", ".join(origins) or "any loopback origin"
        printer.say(f"pages of {pages} may use it; Ctrl-C ends it")
        printer.say(f"inspector  {inspection.url}")
        for line in local_network_access(origins, listen):
            printer.say(line)
        if certificate and certificate.authority:
            printer.say(f"the browser has to trust the local authority {certificate.authority}, once")

    observing: Observing = partial(nullcontext, inspection.beside(printer))
    observing = lesson.beside_those(observing) if lesson else observing
    serve_compiled(compiled, observing, say_started, Plan(mount=inspection.mount))


def _lesson(url: str, learning: Learning) -> Lesson | None:
    if not learning.output:
        return None
    from corsproxy.cli.lesson import lesson_of_api  # noqa: PLC0415  # only who learns needs it

    return lesson_of_api(learning, url)


def _certificate(
    listen: str, tls: bool, cert: str | None, key: str | None
) -> AbstractContextManager[Certificate | None]:
    if (cert is None) != (key is None):
        raise click.UsageError("a certificate and its key belong together; give --cert and --key")
    if cert is not None and key is not None:
        return nullcontext(Certificate(cert, key))
    if not tls:
        return nullcontext()
    names = ("localhost", "127.0.0.1", "::1", _loopback_host(listen).strip("[]"))
    return local_certificate(list(dict.fromkeys(filter(None, names))), data_folder())


def _compiled(config: Config) -> Compiled:
    try:
        return compile_config(config, pseudonym=f"corsproxy-{secrets.token_hex(4)}")
    except InvalidConfig as error:
        # The rules are alike, so that a wrong URL is wrong in each of them; it was given once.
        for said in dict.fromkeys(map(_in_words_of_flags, error.problems)):
            click.echo(said, err=True)
        raise SystemExit(2) from None


def _in_words_of_flags(problem: Problem) -> str:
    """A problem, named by what was given on the command line in place of the key that it became."""
    key, _, message = problem.message.partition(": ")
    flag = next((flag for prefix, flag in _FLAGS.items() if key.startswith(prefix)), key)
    if key.endswith(".host"):
        flag = "--allow-host"
    return f"{flag}: {message}" + (f"\n    {problem.correction}" if problem.correction else "")


def dev_config(
    url: str,
    origins: tuple[str, ...],
    listen: str,
    certificate: Certificate | None = None,
    names: tuple[str, ...] = (),
) -> Config:
    """The configuration that the flags stand for, in the words of the YAML file.

    On a loopback address the rules serve loopback names only, and ``names``: another one that leads here may be a DNS
    rebinding attack, and gets 421.  On any other address it is not known by which names people reach it, so that all
    are served unless ``names`` says which.
    """
    host = _loopback_host(listen)
    hosts = list(dict.fromkeys((*_LOOPBACK_HOSTS, *filter(None, [host]), *names))) if host or names else [""]
    policy = {
        "allow_origins": list(origins or LOOPBACK_ORIGINS),
        "allow_methods": ["*"],
        "allow_headers": ["*"],
        "expose_headers": ["*"],
        "allow_credentials": "*" not in origins,  # any origin with cookies would hand the session to every page
        "allow_private_network": True,  # it is this machine that they are meant to reach
        "dangerously_allow_insecure_origins": True,  # whoever names an http origin here means it
    }
    rule = {
        "upstream": url,
        "policy": "dev",
        "forward_origin": _own_origin(url),
        "cookies": _TLS_COOKIES if certificate else _HTTP_COOKIES,
    }
    listener = {"address": listen, "tls": {"cert": certificate.cert, "key": certificate.key}} if certificate else listen
    rules = [{**rule, "host": host} for host in hosts]
    return Config.model_validate({"listen": listener, "admin": ADMIN, "policies": {"dev": policy}, "rules": rules})


def _own_origin(url: str) -> str:
    """What the API hears of the page: its own origin, so that a check against CSRF lets an allowed page in."""
    try:
        endpoint, _ = parse_endpoint(url)
        return "keep" if endpoint.unix_path else str(parse_origin(str(endpoint).lower()))
    except (Unusable, InvalidOrigin):  # the first is a problem of the configuration; of the second no page can be
        return "keep"


def _loopback_host(listen: str) -> str:
    """The host of a listener on a loopback address, "" on every other one."""
    host = listen.rpartition(":")[0].lower()
    if host == "localhost":
        return host
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return ""
    shown = f"[{address}]" if address.version == 6 else str(address)
    return shown if address.is_loopback else ""


def local_network_access(origins: tuple[str, ...], listen: str) -> list[str]:
    """What Chromium does before a page of elsewhere reaches a proxy on this machine, for each origin that needs it.

    Nothing arrives here until its user has agreed, so that no exchange could tell
    (https://wicg.github.io/local-network-access/).
    """
    if not _loopback_host(listen):
        return []
    return [
        f"before a page of {origin} may reach this machine, Chromium asks its user (Local Network Access)"
        + ("" if origin.startswith("https:") else "; a page that came over http is refused unasked")
        for origin in origins
        if not _is_of_this_machine(origin)
    ]


def _is_of_this_machine(origin: str) -> bool:
    """Whether an origin or pattern names this machine; any port will do."""
    host = origin.partition("://")[2].removesuffix(":*").removeprefix("*.")
    return is_loopback(re.sub(r":[0-9]+$", "", host))


def _address(listening: Listening, listen: str) -> str:
    """Where it listens, by the name that was given."""
    name = listening.names[0]
    return name.replace("127.0.0.1", "localhost", 1) if _loopback_host(listen) == "localhost" else name
