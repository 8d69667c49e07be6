"""Where clients connect, and which proxies in front are believed."""

from __future__ import annotations

from dataclasses import replace

from corsproxy.config.addresses import Listen, parse_listen, parse_mode, parse_network
from corsproxy.config.findings import Findings
from corsproxy.config.model import Config, ListenerConfig, TlsConfig
from corsproxy.config.written import Path
from corsproxy.http.forwarded import Forwarding


def compile_listeners(config: Config, findings: Findings) -> tuple[Listen, ...]:
    """Every listener, in the order of the file."""
    if not config.listen:
        findings.refuse(("listen",), "there is no listener", line="listen: 127.0.0.1:8080")
    listeners = [
        _listener(written, ("listen", index), config.trusted_proxies, findings)
        for index, written in enumerate(config.listen)
    ]
    for index, listen in enumerate(listeners):
        if listen and _taken(listen, listeners[:index]):
            findings.refuse(("listen", index), f"{listen} is listened at twice; remove one of them")
    return tuple(listen for listen in listeners if listen)


def compile_admin(config: Config, listeners: tuple[Listen, ...], findings: Findings) -> Listen | None:
    """Where the process shows itself; None: nowhere."""
    if config.admin == "off":
        return None
    admin = findings.parse(("admin",), parse_listen, config.admin)
    if admin and _taken(admin, list(listeners)):
        findings.refuse(("admin",), f"{admin} is listened at for clients already; choose another address")
    return admin


def compile_forwarding(config: Config, pseudonym: str, findings: Findings) -> Forwarding:
    """Whose X-Forwarded-* are believed."""
    networks = [
        findings.parse(("trusted_proxies", index), parse_network, text)
        for index, text in enumerate(config.trusted_proxies)
    ]
    return Forwarding.create([network for network in networks if network], pseudonym)


def _listener(written: str | ListenerConfig, path: Path, trusted: list[str], findings: Findings) -> Listen | None:
    if isinstance(written, str):
        return findings.parse(path, parse_listen, written)
    listen = findings.parse((*path, "address"), parse_listen, written.address)
    mode = _mode(written.mode, listen, path, findings) if "mode" in written.model_fields_set else None
    if written.proxy_protocol and listen and listen.unix_path:
        message = "a unix socket has no address that could be trusted; use PROXY protocol over TCP, or X-Forwarded-For"
        findings.refuse((*path, "proxy_protocol"), message)
    if written.proxy_protocol and not trusted:
        message = "proxy_protocol lets trusted proxies in and nobody else, and none is trusted; list them"
        findings.refuse((*path, "proxy_protocol"), message, line="trusted_proxies: [10.0.0.0/8]")
    if written.tls is not None:
        _refuse_missing_files(written.tls, (*path, "tls"), findings)
    if listen is None:
        return None
    listen = replace(listen, mode=mode, proxy_protocol=written.proxy_protocol)
    tls = written.tls
    return replace(listen, tls_cert=tls.cert, tls_key=tls.key, tls_client_ca=tls.client_ca) if tls else listen


def _refuse_missing_files(written: TlsConfig, path: Path, findings: Findings) -> None:
    for key in ("cert", "key", "client_ca"):
        if key in written.model_fields_set and not getattr(written, key):
            findings.refuse((*path, key), "the path of a file is missing")


def _mode(text: str, listen: Listen | None, path: Path, findings: Findings) -> int | None:
    if listen and not listen.unix_path:
        findings.refuse((*path, "mode"), "only the file of a unix socket has permissions; remove mode")
        return None
    return findings.parse((*path, "mode"), parse_mode, text)


def _taken(listen: Listen, others: list[Listen | None]) -> bool:
    """Whether another one has this address; port 0 is a new one every time, and ``systemd`` is every passed socket."""
    if listen.passed:
        return any(_overlap(listen.passed, other.passed) for other in others if other and other.passed)
    if not listen.port and not listen.unix_path:
        return False
    return any(other is not None and str(other) == str(listen) for other in others)


def _overlap(name: str, other: str) -> bool:
    return name == other or "*" in {name, other}
