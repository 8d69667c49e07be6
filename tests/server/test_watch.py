"""Whether a configuration has changed: by what its files hold, whatever way they were replaced in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from corsproxy.server.config_file import ConfigFile
from corsproxy.server.watch import Watch, is_mounted_alone
from tests.e2e.rig import config

FIRST, SECOND = config("http://a").encode(), config("http://b").encode()


def watching(file) -> Watch:
    source = ConfigFile(str(file), {}, "corsproxy-test")
    content = source.read()
    return Watch(source, content, source.compile(content))


def in_place(file):
    file.write_bytes(SECOND)


def by_rename(file):
    """An editor."""
    other = file.with_suffix(".new")
    other.write_bytes(SECOND)
    other.replace(file)


def with_the_same_size_and_time(file):
    before = file.stat()
    file.write_bytes(SECOND)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [in_place, by_rename, with_the_same_size_and_time])
def test_a_change_is_told_once_when_it_has_been_seen_twice(tmp_path, change):
    file = tmp_path / "config.yaml"
    file.write_bytes(FIRST)
    watch = watching(file)
    assert [watch.look(), watch.look()] == [None, None]
    change(file)
    assert watch.look() is None
    told = watch.look()
    assert told is not None
    assert told.content == SECOND
    assert [watch.look(), watch.look()] == [None, None]


def test_a_config_map_is_replaced_by_a_symbolic_link(tmp_path):
    """As kubelet does it: config.yaml -> ..data/config.yaml, and ..data -> a folder that is never changed."""
    for name, content in (("..1", FIRST), ("..2", SECOND)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_bytes(content)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "config.yaml").symlink_to("..data/config.yaml")
    watch = watching(tmp_path / "config.yaml")
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert watch.look() is None
    told = watch.look()
    assert told is not None
    assert told.content == SECOND


def test_a_file_that_is_being_written_is_waited_for(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_bytes(FIRST)
    watch = watching(file)
    for end in (0, 10, 20):
        file.write_bytes(SECOND[:end])
        assert watch.look() is None
    file.write_bytes(FIRST)  # and was not changed in the end
    assert [watch.look(), watch.look()] == [None, None]


def test_a_file_that_is_gone_is_told_once_and_its_return_too(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_bytes(FIRST)
    watch = watching(file)
    file.unlink()
    assert watch.look() is None
    assert watch.look() == (None, frozenset())
    assert watch.look() is None
    file.write_bytes(FIRST)
    assert watch.look() is None
    assert watch.look() == (FIRST, frozenset())


def test_a_refused_renewal_is_renewed_with_the_next_one(tmp_path):
    """A certificate, and its key a moment later: the first attempt fails, and the second must load both."""
    names = [f"{tmp_path}/{name}.pem" for name in ("cert", "key")]
    for name in names:
        Path(name).write_text("1")
    text = config("http://a", listen={"address": "127.0.0.1:0", "tls": dict(zip(("cert", "key"), names, strict=True))})
    (tmp_path / "config.yaml").write_text(text)
    watch = watching(tmp_path / "config.yaml")
    for name, renewed in ((names[0], names[:1]), (names[1], names)):
        Path(name).write_text("2")
        assert watch.look() is None
        assert watch.look() == (text.encode(), frozenset(renewed))
    watch.accept(watch.source.compile(text.encode()))
    assert watch.now().renewed == frozenset()


@pytest.mark.parametrize(
    ("point", "alone"),
    [("/etc/corsproxy/config.yaml", True), ("/etc/corsproxy", False), ("/etc/corsproxy/config.yaml2", False)],
)
def test_a_file_that_is_mounted_by_itself(tmp_path, point, alone):
    mounts = tmp_path / "mountinfo"
    root = "22 1 8:1 / / rw,relatime - ext4 /dev/root rw\n"
    mounts.write_text(f"{root}36 35 98:0 /x/config.yaml {point} ro,noatime master:1 - ext4 /dev/sda1 ro\n")
    assert is_mounted_alone("/etc/corsproxy/config.yaml", mounts) is alone


def test_a_mount_point_may_have_blanks_in_its_name(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text("36 35 98:0 /x /etc/my\\040config.yaml ro - ext4 /dev/sda1 ro\n")
    assert is_mounted_alone("/etc/my config.yaml", mounts)


def test_where_the_system_does_not_say_nothing_is_mounted_alone(tmp_path):
    assert not is_mounted_alone("/etc/config.yaml", tmp_path / "missing")
