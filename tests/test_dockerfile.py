"""The Dockerfile: what hadolint says, what must hold whatever it says, and whether its commands do what they are for.

No Docker engine is asked for.  The RUN steps are shell commands, so they are run here, one after the other, with the
image's folders moved below a temporary one; the base image itself is not part of that.  scripts/test-image builds the
Dockerfile as it stands, over a base image of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

import corsproxy
from corsproxy.cli.source import DEFAULT_FILE
from corsproxy.config.addresses import parse_listen

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / "Dockerfile"
IMAGE_FOLDERS = re.compile(r"(?<![\w./])/(app|build|dist|image)\b")


class Instruction(NamedTuple):
    """One instruction of the Dockerfile: its word, the rest as one line, and the stage that it belongs to."""

    word: str
    rest: str
    stage: int


def instructions() -> list[Instruction]:
    lines = [line for line in DOCKERFILE.read_text("utf-8").splitlines() if not line.startswith("#")]
    found: list[Instruction] = []
    for text in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if text:
            word, _, rest = text.partition(" ")
            found.append(Instruction(word, rest, (found[-1].stage if found else -1) + (word == "FROM")))
    return found


def rest_of(word: str, stage: int) -> str:
    """The one instruction of that word in that stage."""
    (rest,) = (item.rest for item in instructions() if (item.word, item.stage) == (word, stage))
    return rest


def copies(stage: int) -> list[tuple[list[str], str]]:
    """The sources and the destination of each COPY from the build context."""
    found = [item.rest.split() for item in instructions() if item.word == "COPY" and item.stage == stage]
    return [(words[:-1], words[-1]) for words in found if not words[0].startswith("--from")]


def test_hadolint_has_nothing_to_say():
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert hadolint, "hadolint is missing; install requirements/test.txt"
    done = subprocess.run([hadolint, "--no-color", str(DOCKERFILE)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_starts_the_program_without_a_shell():
    """A shell as process 1 would swallow SIGTERM, and there would be no drain."""
    assert json.loads(rest_of("ENTRYPOINT", 1)) == ["corsproxy"]
    assert json.loads(rest_of("CMD", 1)) == ["serve"]
    assert rest_of("STOPSIGNAL", 1) == "SIGTERM"


def test_the_program_checks_its_own_health():
    options, _, command = rest_of("HEALTHCHECK", 1).partition(" CMD ")
    assert json.loads(command) == ["corsproxy", "healthcheck"]
    assert "--timeout=" in options


def test_it_takes_a_file_or_the_environment():
    """``serve`` looks where the image's user mounts a file; a variable for that would forbid those for one API."""
    assert "CORSPROXY_CONFIG" not in rest_of("ENV", 1)
    assert DEFAULT_FILE in DOCKERFILE.read_text("utf-8")
    settings = dict(word.split("=") for word in rest_of("ENV", 1).split())
    listen = parse_listen(settings["CORSPROXY_LISTEN"])
    assert (listen.host, str(listen.port)) == ("0.0.0.0", rest_of("EXPOSE", 1))
    assert parse_listen(settings["CORSPROXY_ADMIN"]).host == "127.0.0.1"


def test_it_runs_as_a_numeric_user_that_is_not_root():
    """Kubernetes can only verify runAsNonRoot when the user is a number."""
    user, group = rest_of("USER", 1).split(":")
    assert int(user) > 0
    assert int(group) > 0


def test_the_last_stage_has_nothing_but_the_gathered_folder():
    last = [item for item in instructions() if item.stage == 1]
    assert not [item for item in last if item.word == "RUN"]
    assert [item.rest for item in last if item.word == "COPY"] == ["--from=build /image /"]
    assert rest_of("FROM", 1) == "scratch"


def test_it_writes_no_bytecode_when_it_runs():
    assert "PYTHONDONTWRITEBYTECODE=1" in rest_of("ENV", 1)


def test_its_python_is_one_that_is_tested():
    minor = re.fullmatch(r"python:(3\.\d+)-slim-\w+ AS build", rest_of("FROM", 0))
    assert minor
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert f"Programming Language :: Python :: {minor[1]}" in project["classifiers"]


def test_its_version_is_the_version():
    assert f'image.version="{corsproxy.__version__}"' in rest_of("LABEL", 1)


def test_only_pinned_things_are_installed():
    """Every pip install is by hash, or of the wheel that was just built and without looking for anything else."""
    installs = re.findall(
        r"pip\b.*? install (.*?)(?: && |$)", "\n".join(i.rest for i in instructions() if i.word == "RUN"), re.MULTILINE
    )
    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)
    assert all("--no-cache-dir" in line for line in installs)


def test_every_copied_file_is_there_and_let_through_by_dockerignore():
    ignored, *allowed = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line[0] != "#"]
    assert ignored == "*"
    sources = [source.rstrip("/") for sources, _ in copies(0) for source in sources]
    assert sorted(sources) == sorted(line[1:] for line in allowed if line[0] == "!")
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_steps_build_a_program_that_leaves_its_folder_alone(tmp_path):
    """The RUN steps as they stand; then the program runs and writes nothing, as on a read-only file system."""
    source = tmp_path / "src"
    for sources, destination in copies(0):
        for name in sources:
            copy(ROOT / name, source / destination / ("" if (ROOT / name).is_dir() else Path(name).name))
    for step in (item.rest for item in instructions() if item.word == "RUN" and not item.rest.startswith("apt-get")):
        run_step(IMAGE_FOLDERS.sub(lambda found: f"{tmp_path}/{found[1]}", step), source)

    before = files_below(tmp_path / "app")
    command = tmp_path / "app" / "bin" / "corsproxy"
    clean = {"PATH": str(command.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    shown = subprocess.run([command, "--version"], env=clean, cwd="/", capture_output=True, text=True, check=True)
    assert shown.stdout == f"corsproxy {corsproxy.__version__} (compiled)\n"
    assert files_below(tmp_path / "app") == before
    assert not list((tmp_path / "app").glob("lib/python*/site-packages/pip")), "the image needs no pip of its own here"
    compiled = list((tmp_path / "app").glob("lib/python*/site-packages/corsproxy/__pycache__/errors.*.pyc"))
    assert [file.read_bytes()[4] for file in compiled] == [0b01], "valid by hash, and not checked again"
    assert_complete(tmp_path / "image", command)


def assert_complete(image: Path, command: Path) -> None:
    """What was gathered has no shell, and runs with nothing else to be seen, as far as this user may look."""
    programs = {path.name for path in image.rglob("bin/*") if path.is_file() and not path.is_symlink()}
    assert programs - {"corsproxy"} == {Path(sys.executable).resolve().name}
    if os.geteuid() == 0:
        alone = ["chroot", "--userspec=65532:65532", str(image), f"{command.parent}/python", str(command), "--version"]
        shown = subprocess.run(alone, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True)
        assert corsproxy.__version__ in shown.stdout


def copy(source: Path, destination: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, destination, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    else:
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, destination)


def run_step(step: str, folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE", "COV_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment["MYPYC_OPT_LEVEL"] = "0"  # as well compiled, and in less time
    command = ["/bin/sh", "-ec", step]
    done = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode and "Retrying (Retry(" in done.stderr and os.environ.get("CI") != "true":
        pytest.skip("pip cannot reach its index from here")
    assert done.returncode == 0, done.stdout + done.stderr


def files_below(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
