"""What leaves the checkout: the wheel, the lock files, the scripts, and nothing that belongs to one machine."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import corsproxy
from tests.test_house import imports, modules

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = ("build", "runtime", "test")
PROGRAMS = (
    ".ci/run", "scripts/audit", "scripts/conformance", "scripts/demo", "scripts/fuzz", "scripts/lock", "scripts/sbom",
    "scripts/soak", "scripts/test", "scripts/test-image",
)  # fmt: skip

# Written so that this file does not match itself.
BOUND_TO_A_MACHINE = re.compile(
    r"(?<![\w.])/(?:[r]oot|[o]pt|[w]ork|tmp/[w])/|pypi[.]|[p]ythonhosted|[n]pmjs|--(?:extra-)?index-[u]rl"
)


def project_files() -> Iterator[Path]:
    """Every file of the checkout that git does not ignore; without asking git, which a fresh machine may lack."""
    named = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text("utf-8").splitlines() if line]
    ignored = [".git", *named]  # a folder, or in a second work tree a file
    for folder, folders, files in os.walk(ROOT):
        kept = [name for name in folders if not matches(name, ignored)]
        folders[:] = kept
        yield from (Path(folder, name) for name in files if not matches(name, ignored))


def matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def run(*command: str | Path, **options) -> subprocess.CompletedProcess[str]:
    """Run a command without this run's coverage, which would count the copies of the package that it finds."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE", "COV_"))}
    environment = clean | options.pop("environment", {})
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment, **options)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The project's wheel, built from the checkout by the pinned backend and without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder)
    done = run(sys.executable, *build, ROOT)
    assert done.returncode == 0, done.stderr
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> dict[str, Path]:
    """The wheel, installed into a folder of its own."""
    prefix = tmp_path_factory.mktemp("prefix")
    options = ("--quiet", "--no-deps", "--no-index", "--ignore-installed", "--no-warn-script-location")
    done = run(sys.executable, "-m", "pip", "install", *options, "--prefix", prefix, wheel)
    assert done.returncode == 0, done.stderr
    variables = {"base": str(prefix), "platbase": str(prefix)}
    return {name: Path(sysconfig.get_path(name, "venv", variables)) for name in ("purelib", "scripts")}


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    expected = {
        path.relative_to(ROOT).as_posix() for path in project_files() if path.is_relative_to(ROOT / "corsproxy")
    }
    found = set(zipfile.ZipFile(wheel).namelist())
    metadata = {name for name in found if name.startswith(f"corsproxy-{corsproxy.__version__}.dist-info/")}
    assert found - metadata == expected
    assert "corsproxy/py.typed" in found
    assert f"corsproxy-{corsproxy.__version__}.dist-info/licenses/LICENSE" in metadata


@pytest.mark.parametrize("folder", ["corsproxy/demo/", "corsproxy/tools/inspector/"])
def test_the_wheel_holds_the_pages(wheel, folder):
    suffixes = {Path(name).suffix for name in zipfile.ZipFile(wheel).namelist() if name.startswith(folder)}
    assert {".html", ".css", ".js"} <= suffixes


def test_the_wheel_holds_the_vectors(wheel):
    vectors = [name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("corsproxy/conformance/vectors/")]
    assert len(vectors) > 10
    assert "corsproxy/conformance/page/style.css" in zipfile.ZipFile(wheel).namelist()


def test_the_installed_command_tells_its_version(installed):
    done = run(installed["scripts"] / "corsproxy", "--version", environment={"PYTHONPATH": str(installed["purelib"])})
    assert (done.returncode, done.stderr) == (0, "")
    assert corsproxy.__version__ in done.stdout


def test_the_package_runs_as_a_module(installed):
    environment = {"PYTHONPATH": str(installed["purelib"])}
    done = run(sys.executable, "-m", "corsproxy", "--version", environment=environment, cwd=installed["purelib"])
    assert (done.returncode, done.stderr) == (0, "")
    assert corsproxy.__version__ in done.stdout


def test_what_is_to_be_compiled_is_there():
    """Whether it can be compiled is shown where the image's wheel is built, in test_dockerfile.py."""
    listed = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["compiled"]
    assert [name for name in listed if not (ROOT / "corsproxy" / f"{name}.py").is_file()] == []
    assert len(set(listed)) == len(listed)


def test_a_checkout_is_not_compiled(wheel):
    assert wheel.name.endswith("-py3-none-any.whl")
    assert (
        run(sys.executable, "-c", "from corsproxy.proxy.compilation import compiled; print(compiled())").stdout
        == "False\n"
    )


def test_the_version_is_in_the_changelog():
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert corsproxy.__version__ in headings


def test_no_file_is_bound_to_a_machine_or_a_registry():
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in project_files()
        if (match := BOUND_TO_A_MACHINE.search(path.read_text("utf-8", errors="replace")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    ["see /" + "root/x", "/" + "opt/wheels", "=/tmp/" + "w/v", "https://" + "pypi" + ".org/simple"],
)
def test_a_planted_machine_path_is_noticed(text):
    assert BOUND_TO_A_MACHINE.search(text)


def test_every_library_that_is_imported_is_declared():
    """What is only there because another library wants it may be gone with that library's next version."""
    own = [(file, tree) for file, tree in modules() if not file.startswith("conformance/applications/")]  # their users'
    roots = {found.module.partition(".")[0] for file, tree in own for found in imports(file, tree)}
    providers = packages_distributions()
    foreign = roots - sys.stdlib_module_names - {"corsproxy"}
    extras = PROJECT["project"]["optional-dependencies"]
    needs = [*wanted("runtime"), *(Requirement(need) for extra in extras.values() for need in extra)]
    declared = {canonicalize_name(need.name) for need in needs}
    # Several distributions may share one name to import, as those of OpenTelemetry do.
    undeclared = {root for root in foreign if declared.isdisjoint(map(canonicalize_name, providers.get(root, [root])))}
    assert undeclared - {"pydantic_core"} == set(), "pydantic itself pins its core to one version"


# Lock files


def locked(name: str) -> dict[str, str]:
    """The pins of a lock file: canonical name -> version."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
    return {canonicalize_name(pin[1]): pin[2] for pin in re.finditer(r"^([\w.-]+)==([\w.+!-]+)", text, re.MULTILINE)}


def wanted(name: str) -> list[Requirement]:
    """What pyproject.toml asks for, and what the lock file of that name must therefore hold."""
    extras = PROJECT["project"]["optional-dependencies"]
    runtime = [*PROJECT["project"]["dependencies"], *extras["re2"]]  # [tls] is for developers, not for the image
    build = [*PROJECT["build-system"]["requires"], *PROJECT["dependency-groups"]["build"]]
    texts = {
        "runtime": runtime,
        "build": build,
        "test": runtime + extras["import"] + extras["tls"] + build + PROJECT["dependency-groups"]["test"],
    }
    return [Requirement(text) for text in texts[name]]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_covers_what_the_project_asks_for(name):
    pins = locked(name)
    unmet = [str(need) for need in wanted(name) if pins.get(canonicalize_name(need.name), "none") not in need.specifier]
    assert unmet == [], "run scripts/lock"


@pytest.mark.parametrize("name", ["runtime", "build"])
def test_tests_run_on_the_versions_that_are_shipped(name):
    assert locked(name).items() <= locked("test").items()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_everything_by_hash(name):
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
    entries = re.split(r"\n(?=[^\s#])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    assert len(entries) == len(locked(name))
    assert [entry for entry in entries if not re.match(r"[\w.-]+==\S+.*\\\n\s+--hash=sha256:[0-9a-f]{64}", entry)] == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_place_to_install_from(name):
    """Everybody installs from the index that their own pip knows; the hashes say that it is the same thing."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
    assert re.findall(r"https?:|file:|--index\S*|--extra-\S*|--find-links|^-\S*|\s@\s", text, re.MULTILINE) == []


# Scripts


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_script_can_be_run_as_it_is(name):
    mode = (ROOT / name).stat().st_mode
    assert mode & stat.S_IXUSR
    assert (ROOT / name).read_text("utf-8").startswith("#!/usr/bin/env bash\n")
    assert run("bash", "-n", ROOT / name).returncode == 0


def test_continuous_integration_runs_the_commands_of_the_readme():
    readme = (ROOT / "README.md").read_text("utf-8")
    ci = (ROOT / ".ci/run").read_text("utf-8")
    for command in ("scripts/demo", "scripts/test"):
        assert command in readme
        assert command in ci


def test_the_test_script_refuses_what_it_does_not_know():
    done = run(ROOT / "scripts/test", "--fast")
    assert done.returncode == 2
    assert "--all-pythons" in done.stderr


def shell(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a piece of shell with the functions of scripts/venv.sh."""
    return run("bash", "-euc", f". scripts/venv.sh; {code}", cwd=ROOT, environment={"PYTHON": "", **environment})


def command(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
    path.chmod(0o755)


def test_a_shim_that_does_not_run_is_no_python(tmp_path):
    """pyenv puts a python3.13 on PATH for every version it knows, also for those that are not switched on."""
    command(tmp_path / "shims/python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    path = f"{tmp_path / 'shims'}{os.pathsep}{os.environ['PATH']}"
    done = shell("python_of_minor 13", PATH=path, PYENV_ROOT=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")


def test_a_python_that_pyenv_has_but_not_on_path_is_found(tmp_path):
    command(tmp_path / "shims/python3.13", "exit 127")
    for version in ("3.13.2", "3.13.10"):
        command(tmp_path / "versions" / version / "bin/python3", f'exec "{sys.executable}" "$@"')
    path = f"{tmp_path / 'shims'}{os.pathsep}{os.environ['PATH']}"
    done = shell("python_of_minor 13", PATH=path, PYENV_ROOT=str(tmp_path))
    assert done.stdout == f"{tmp_path}/versions/3.13.10/bin/python3\n"


def test_an_older_python_is_refused_with_words(tmp_path):
    command(tmp_path / "python3.6", "exit 1")
    done = shell("default_python", PYTHON=str(tmp_path / "python3.6"))
    assert done.returncode == 1
    assert "older than 3.11" in done.stderr


def test_unchanged_pins_are_not_installed_again(tmp_path):
    """The second call finds the stamp of the first; another set of pins is another stamp."""
    command(tmp_path / "venv/bin/python", f'echo "$@" >>"{tmp_path}/calls"')
    folder = tmp_path / "venv"
    done = shell(f"install_pins '{folder}' test; install_pins '{folder}' test; install_pins '{folder}' build runtime")
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text("utf-8").splitlines()
    assert ["--editable" in call for call in calls] == [False, True, False, True]
    assert all("--require-hashes" in call for call in calls[::2])


def test_a_failed_installation_is_tried_again(tmp_path):
    command(tmp_path / "venv/bin/python", "exit 1")
    done = shell(f"install_pins '{tmp_path / 'venv'}' test")
    assert done.returncode == 1
    assert list((tmp_path / "venv").glob("corsproxy-*")) == []
