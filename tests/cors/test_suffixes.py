"""Who owns a host."""

from __future__ import annotations

import subprocess
import sys

import pytest

from corsproxy.cors.suffixes import is_public_suffix, owner_part, site_part, suffix_part

HOSTS = [
    # host, its owner's part, its public suffix (or what stands in its place)
    ("www.example.com", "example.com", "com"),
    ("example.com", "example.com", "com"),
    ("a.b.example.co.uk", "example.co.uk", "co.uk"),
    ("app.github.io", "app.github.io", "github.io"),  # a private suffix
    ("github.io", "github.io", "github.io"),
    ("com", "com", "com"),
    ("city.kobe.jp", "city.kobe.jp", "kobe.jp"),  # an exception of the list
    ("a.b.c.kobe.jp", "b.c.kobe.jp", "c.kobe.jp"),  # a wildcard of the list
    ("a.xn--bcher-kva.example", "xn--bcher-kva.example", "example"),
    ("printer", "printer", "printer"),
    ("a.b.internal", "b.internal", "internal"),  # unknown: the last label is the suffix
    ("localhost", "localhost", "localhost"),
    ("app.localhost", "localhost", "localhost"),
    ("127.0.0.1", "127.", "127."),
    ("10.1.2.3", "10.", "10."),
    ("172.16.5.4", "172.16.", "172.16."),
    ("172.32.5.4", "172.32.5.4", "172.32.5.4"),
    ("192.168.1.7", "192.168.", "192.168."),
    ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
    ("[::1]", "[::1]", "[::1]"),
    ("[2001:db8::1]", "[2001:db8::1]", "[2001:db8::1]"),
]


@pytest.mark.parametrize(("host", "owner", "suffix"), HOSTS)
def test_the_parts_of_a_host(host, owner, suffix):
    assert host[owner_part(host)] == owner
    assert host[suffix_part(host)] == suffix


@pytest.mark.parametrize("host", ["com", "co.uk", "github.io", "kobe.jp", "internal", "vercel.app"])
def test_public_suffixes(host):
    assert is_public_suffix(host)


@pytest.mark.parametrize("host", ["example.com", "app.github.io", "localhost", "app.localhost", "example.internal"])
def test_domains_that_belong_to_somebody(host):
    assert not is_public_suffix(host)


IMPORTED = """
import sys
from corsproxy.cors.policy import PolicySpec, compile_policy
compile_policy(PolicySpec(name="x", allow_origins=("https://example.com", "http://localhost:*")))
print(*sorted({"publicsuffixlist", "re2", "idna"} & set(sys.modules)))
compile_policy(PolicySpec(name="x", allow_origins=("https://*.example.com",)))
print(*sorted({"publicsuffixlist", "re2", "idna"} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("www.example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("app.github.io", "app.github.io"),
        ("github.io", "github.io"),
        ("a.b.localhost", "b.localhost"),
        ("localhost", "localhost"),
        ("10.1.2.3", "10.1.2.3"),
        ("[::1]", "[::1]"),
    ],
)
def test_the_site_of_a_host(host, site):
    """https://html.spec.whatwg.org/#obtain-a-site."""
    assert host[site_part(host)] == site


def test_what_a_policy_does_not_need_is_not_imported():
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    assert done.stdout == "\npublicsuffixlist\n"
