"""The local authority: kept, closed to others, and the one that signs what ``dev --tls`` shows."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest
import trustme

from corsproxy.cli.local_certificate import data_folder, local_certificate
from corsproxy.errors import UnusableCertificate

NAMES = ("localhost", "127.0.0.1", "::1")


def made(folder):
    """What one run leaves in the folder."""
    with local_certificate(NAMES, folder):
        pass
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_authority_is_made_once_and_kept(tmp_path):
    folder = tmp_path / "share" / "corsproxy"
    first = made(folder)
    assert set(first) == {"authority.pem", "authority-key.pem"}
    assert made(folder) == first
    assert first["authority-key.pem"].startswith(first["authority.pem"])
    assert b"PRIVATE KEY" not in first["authority.pem"]


def test_its_key_is_for_its_owner_alone(tmp_path):
    made(tmp_path / "corsproxy")
    assert stat.S_IMODE((tmp_path / "corsproxy").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "corsproxy" / "authority-key.pem").stat().st_mode) == 0o600


def test_the_certificate_is_new_with_each_run_and_gone_with_it(tmp_path):
    seen = []
    for _ in range(2):
        with local_certificate(NAMES, tmp_path) as certificate:
            seen.append(Path(certificate.cert).read_bytes())
            assert certificate.authority == str(tmp_path / "authority.pem")
            assert stat.S_IMODE(Path(certificate.key).parent.stat().st_mode) == 0o700
        assert not Path(certificate.cert).parent.exists()
    assert seen[0] != seen[1]


def test_the_public_part_is_written_anew_when_it_is_not_that_of_the_key(tmp_path):
    first = made(tmp_path)
    (tmp_path / "authority.pem").write_bytes(b"another")
    assert made(tmp_path) == first


def test_of_two_first_runs_at_once_one_authority_stays(tmp_path, monkeypatch):
    class Slow(trustme.CA):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            monkeypatch.undo()
            self.faster = made(tmp_path)

    monkeypatch.setattr(trustme, "CA", Slow)
    slower = made(tmp_path)
    assert set(slower) == {"authority.pem", "authority-key.pem"}
    assert made(tmp_path) == slower


def test_a_key_that_others_can_read_is_refused(tmp_path):
    made(tmp_path)
    (tmp_path / "authority-key.pem").chmod(0o640)
    with pytest.raises(UnusableCertificate, match=r"others may have read .*; trust this authority no longer"):
        made(tmp_path)


def test_a_file_that_holds_no_authority_is_refused(tmp_path):
    (tmp_path / "authority-key.pem").touch(0o600)
    (tmp_path / "authority-key.pem").write_text("nonsense")
    with pytest.raises(UnusableCertificate, match="holds no authority; remove it"):
        made(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UnusableCertificate, match=r"cannot be kept in .*/file/corsproxy \(.*\); set XDG_DATA_HOME"):
        made(tmp_path / "file" / "corsproxy")


def test_without_the_extra_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(UnusableCertificate, match=r"pip install 'corsproxy\[tls\]'; or .* --cert and --key"):
        made(tmp_path)


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("/data", "/data/corsproxy"), ("", "/home/me/.local/share/corsproxy"), ("x", "/home/me/.local/share/corsproxy")],
)
def test_the_folder_of_the_user(monkeypatch, variable, expected):
    """A relative path is ignored, as its specification says."""
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_DATA_HOME", variable)
    assert data_folder() == Path(expected)
