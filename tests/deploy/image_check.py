"""Runs the image that scripts/test-image has built, and asks it: what must hold of it, row by row.

    unshare --net --mount python3 tests/deploy/image_check.py ROOT IMAGE.JSON

Rules: only the standard library, since nothing is installed here; the program is started as the image's own settings
say (user, environment, entry point, command), never as this file would like it; nothing sleeps, except between two
attempts to connect.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PATIENCE = 30
APP, STRANGER = "https://app.example.com", "https://evil.example.net"
FILE = f"""\
listen: 0.0.0.0:8080
admin: 127.0.0.1:9901
policies: {{web: {{allow_origins: [{APP}], allow_methods: [PUT]}}}}
rules: [{{upstream: "http://127.0.0.1:8000", policy: web}}]
"""
ENVIRONMENT = {
    "CORSPROXY_UPSTREAM": "http://127.0.0.1:8000",
    "CORSPROXY_ALLOW_ORIGINS": APP,
    "CORSPROXY_ALLOW_METHODS": "PUT",
}
# The image has no extras, and so no OpenTelemetry.
EVERY_MODULE = """
import importlib, pkgutil, corsproxy
names = [found.name for found in pkgutil.walk_packages(corsproxy.__path__, "corsproxy.")]
for name in names:
    if name not in {"corsproxy.__main__", "corsproxy.server.tracing"}:
        importlib.import_module(name)
print(len(names))
"""
AUTHORITIES = "import ssl; print(len(ssl.create_default_context().get_ca_certs()))"


class Image:
    """The files of an image and its settings."""

    def __init__(self, root: Path, settings: dict[str, Any]) -> None:
        config = settings["OCIv1"]["config"]
        self.root = root
        self.user, self.group = map(int, config["User"].split(":"))
        self.environment = dict(entry.split("=", 1) for entry in config["Env"])
        self.command = [*config["Entrypoint"], *config["Cmd"]]
        self.health = settings["Docker"]["config"]["Healthcheck"]["Test"][1:]

    def start(self, command: list[str], environment: dict[str, str] | None = None, **options: Any) -> subprocess.Popen:
        """Run a command in it as process 1; the process that is returned is the one that waits for it."""
        variables = json.dumps(self.environment | (environment or {}))
        launcher = [
            sys.executable,
            __file__,
            "--inside",
            str(self.root),
            f"{self.user}:{self.group}",
            variables,
            *command,
        ]
        namespaces = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
        return subprocess.Popen([*namespaces, *launcher], **options)

    def run(self, *command: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in it to its end."""
        with self.start(list(command), environment, stdout=-1, stderr=-1, text=True) as process:
            out, error = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(command, process.returncode, out, error)


def inside(root: str, ids: str, variables: str, *command: str) -> None:
    """Become the command: the image's files, read-only, as all there is; no capability, and no way to get one."""
    call("mount", "--bind", root, root)
    call("mount", "-o", "remount,bind,ro,nosuid,nodev", root)
    os.chroot(root)
    os.chdir("/")
    user, group = map(int, ids.split(":"))
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)  # takes the capabilities with it
    if ctypes.CDLL(None).prctl(38, 1, 0, 0, 0):  # PR_SET_NO_NEW_PRIVS
        sys.exit("no_new_privs cannot be set")
    os.execvpe(command[0], list(command), json.loads(variables))  # noqa: S606  # no shell is the point


def call(*command: str) -> None:
    subprocess.run(command, check=True)


class Upstream(BaseHTTPRequestHandler):
    """An API without CORS; /slow waits until it is let go."""

    protocol_version = "HTTP/1.1"
    asked, let_go = threading.Event(), threading.Event()

    def do_GET(self) -> None:
        if self.path == "/slow":
            self.asked.set()
            self.let_go.wait(PATIENCE)
        body = b"hello\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def loopback_up() -> None:
    """A new network has a loopback device, and it is down (netdevice(7): SIOCSIFFLAGS, IFF_UP | IFF_RUNNING)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))


def ask(method: str, path: str, origin: str = "", port: int = 8080, **headers: str) -> HTTPResponse:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    fields = {"Host": "localhost", **({"Origin": origin} if origin else {}), **headers}
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in fields.items()})
    return connection.getresponse()


def first_answer(process: subprocess.Popen) -> HTTPResponse:
    """The answer to the first request that is answered, asked for again and again from the start on."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            return ask("GET", "/", APP)
        except ConnectionRefusedError:
            time.sleep(0.002)
    sys.exit("the program in the image does not answer")


def process_1(process: subprocess.Popen) -> int:
    """The program, as this side of the wall numbers it."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


failures: list[str] = []


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # this is a program


def check(what: str, *, holds: bool, found: object = "") -> None:
    say(f"   {'ok' if holds else 'NO'}  {what}" + ("" if holds else f": {found}"))
    if not holds:
        failures.append(what)


@contextlib.contextmanager
def serving(image: Image, environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen, float]]:
    """The program as the image starts it, once it answers, and the seconds that this took."""
    began = time.monotonic()
    process = image.start(image.command, environment, stdout=subprocess.DEVNULL)
    try:
        response = first_answer(process)
        yield process, time.monotonic() - began
        assert response.status == 200
    finally:
        process.kill()
        process.wait()


def check_answers(how: str) -> None:
    response = ask("GET", "/", APP)
    granted = response.getheader("Access-Control-Allow-Origin")
    check(f"{how}: GET of an allowed origin", holds=(response.status, granted) == (200, APP), found=response.headers)
    check(f"{how}: its preflight", holds=ask("OPTIONS", "/", APP, Access_Control_Request_Method="PUT").status == 204)
    check(
        f"{how}: a stranger's preflight is refused",
        holds=ask("OPTIONS", "/", STRANGER, Access_Control_Request_Method="PUT").status == 403,
    )
    check(f"{how}: admin is ready", holds=ask("GET", "/readyz", port=9901).status == 200)


def check_process(process: subprocess.Popen, image: Image) -> None:
    pid = process_1(process)
    status = status_of(pid)
    check("it is process 1", holds=status["NSpid"].split()[-1] == "1", found=status["NSpid"])
    check(f"it is user {image.user}", holds=set(status["Uid"].split()) == {str(image.user)}, found=status["Uid"])
    check("it has no capability", holds=int(status["CapEff"], 16) == 0, found=status["CapEff"])
    check("it cannot get one", holds=status["NoNewPrivs"] == "1")
    code = f"open({str(Path('/proc', str(pid), 'root', 'written'))!r}, 'w')"
    written = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    check("its file system is read-only, for root too", holds="Read-only" in written.stderr, found=written.stderr)


def check_health(image: Image, environment: dict[str, str]) -> None:
    done = image.run(*image.health, environment=environment)
    check("HEALTHCHECK says ready", holds=(done.returncode, done.stdout) == (0, "ready\n"), found=done)


def check_end(process: subprocess.Popen, image: Image, environment: dict[str, str]) -> None:
    """SIGTERM, with a request in flight."""
    answers: list[HTTPResponse] = []
    client = threading.Thread(target=lambda: answers.append(ask("GET", "/slow", APP)))
    client.start()
    Upstream.asked.wait(PATIENCE)
    os.kill(process_1(process), signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and image.run(*image.health, environment=environment).returncode == 0:
        pass
    check("HEALTHCHECK says no while it drains", holds=time.monotonic() < until)
    Upstream.let_go.set()
    client.join(PATIENCE)
    check("SIGTERM lets a request in flight finish", holds=bool(answers) and answers[0].status == 200)
    check("and then it exits with 0", holds=process.wait(PATIENCE) == 0, found=process.returncode)


def check_files(image: Image) -> None:
    programs = {path.name for path in image.root.rglob("bin/*") if not path.is_symlink()}
    python = next(name for name in programs if name.startswith("python"))
    check("there are no programs but its own and Python", holds=programs == {"corsproxy", python}, found=programs)
    done = image.run("/app/bin/python", "-c", AUTHORITIES)
    check("it knows authorities for HTTPS", holds=done.stdout.strip().isdigit() and int(done.stdout) > 50, found=done)
    done = image.run("/app/bin/python", "-c", EVERY_MODULE)
    check("every module finds what it imports", holds=done.returncode == 0, found=done.stderr)


def sizes(root: Path) -> tuple[int, int]:
    """Bytes of all files, and of the layer as it is sent."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=6) as tar:
        tar.add(root, arcname=".")
    files = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files), len(packed.getvalue())


def main(root: Path, settings: Path) -> None:
    image = Image(root, json.loads(settings.read_text("utf-8")))
    loopback_up()
    upstream = ThreadingHTTPServer(("127.0.0.1", 8000), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()

    check_files(image)
    with serving(image, ENVIRONMENT) as (process, first):
        check_answers("by environment alone")
        check_process(process, image)
        check_health(image, ENVIRONMENT)
        check_end(process, image, ENVIRONMENT)

    mounted = root / "etc/corsproxy/config.yaml"
    mounted.parent.mkdir()
    mounted.write_text(FILE, "utf-8")
    with serving(image, {}) as (process, again):
        check_answers("by a file")
        check_health(image, {})
    mounted.unlink()
    mounted.parent.rmdir()

    nothing = image.run(*image.command)
    said = (nothing.returncode, "CORSPROXY_UPSTREAM" in nothing.stderr)
    check("without either it says what is missing", holds=said == (2, True), found=nothing)

    unpacked, packed = sizes(root)
    say(f"   image: {unpacked / 1e6:.1f} MB of files, {packed / 1e6:.1f} MB as a gzipped layer")
    say(f"   first answer: {first * 1000:.0f} ms after the start, {again * 1000:.0f} ms the second time")
    if failures:
        sys.exit(f"{len(failures)} do not hold: {'; '.join(failures)}")


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        inside(*sys.argv[2:])
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
