"""Where clients connect, and which proxies in front are believed."""

from __future__ import annotations

from dataclasses import replace

from corsproxy.config.addresses import Listen, parse_listen, parse_network
from corsproxy.config.findings import Findings
from corsproxy.config.model import Config, ListenerConfig
from corsproxy.config.written import Path
from corsproxy.http.forwarded import Forwarding


def compile_listeners(config: Config, findings: Findings) -> tuple[Listen, ...]:
    """Every listener, in the order of the file."""
    if not config.listen:
        findings.refuse(("listen",), "there is no listener", line="listen: 127.0.0.1:8080")
    listeners = [_listener(config.listen[index], ("listen", index), findings) for index in range(len(config.listen))]
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


def _listener(written: str | ListenerConfig, path: Path, findings: Findings) -> Listen | None:
    if isinstance(written, str):
        return findings.parse(path, parse_listen, written)
    listen = findings.parse((*path, "address"), parse_listen, written.address)
    if written.tls is None:
        return listen
    for key, file in (("cert", written.tls.cert), ("key", written.tls.key)):
        if not file:
            findings.refuse((*path, "tls", key), "the path of a file is missing")
    return replace(listen, tls_cert=written.tls.cert, tls_key=written.tls.key) if listen else None


def _taken(listen: Listen, others: list[Listen | None]) -> bool:
    """Whether another one has this address; port 0 is a new one every time."""
    if not listen.port and not listen.unix_path:
        return False
    return any(other is not None and str(other) == str(listen) for other in others)
