"""Which names nobody outside can point at this machine."""

from __future__ import annotations

import pytest

from corsproxy.server.private_names import is_private


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("127.0.0.1", True),
        ("10.0.0.7", True),
        ("::1", True),
        ("localhost", True),
        ("app.localhost", True),
        ("corsproxy", True),  # a container of the same network
        ("Node-1.example.com".lower(), True),  # this machine
        ("proxy.team.internal", True),
        ("proxy.team.svc", True),
        ("proxy.team.svc.cluster.local", True),
        ("evil.example", False),
        ("127.0.0.1.nip.io", False),
        ("node-1.example.com.evil.example", False),
        ("internal.evil.example", False),
        ("localhost.evil.example", False),
        ("printer.local", False),  # mDNS: every machine of the network can take it
        ("", False),
    ],
)
def test_names(host, private):
    assert is_private(host, "Node-1.example.com") is private
