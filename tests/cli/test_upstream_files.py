"""What ``corsproxy serve`` says at the start about the TLS of its upstreams."""

from __future__ import annotations

import signal

from tests.cli.running import ran, running
from tests.e2e.rig import config


def write(tmp_path, **tls):
    file = tmp_path / "config.yaml"
    upstreams = {"api": {"url": "https://api.internal", "tls": tls}}
    file.write_text(config("https://api.internal", upstreams=upstreams))
    return file


async def test_an_upstream_that_is_not_verified_cannot_be_missed(tmp_path):
    """Once with its place in the file, and once more after everything else that is said at the start."""
    async with running("serve", "-c", write(tmp_path, verify=False)) as process:
        await process.line("listening on ")
        code, _, errors = await process.ended(signal.SIGTERM)
    first, last = errors.splitlines()
    assert code == 0
    assert (
        "config.yaml:6:7: warning: the certificate of this upstream is not verified, so whoever is on the way" in first
    )
    assert last == "WARNING: the certificate of the upstream api is NOT verified (tls: verify: false)"


async def test_a_file_that_is_missing_ends_it_with_a_plain_message(tmp_path):
    code, printed, errors = await ran("serve", "-c", write(tmp_path, ca=str(tmp_path / "ca.pem")))
    assert (code, printed) == (1, "")
    assert errors == (
        f"the upstream api: the authorities in {tmp_path}/ca.pem cannot be loaded"
        " ([Errno 2] No such file or directory); name PEM files, and a key without a passphrase\n"
    )
