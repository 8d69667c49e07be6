"""Gathers what the image is made of: an installed application, its Python, and the libraries of both.

    python gather.py /app /image

Everything keeps its path below the second folder.  What is left out of Python is what no server needs: its tests, its
installer, windows, databases, the prompt.  The rest is compiled, since the program may run on a read-only file system,
and loses the symbols for debuggers that some wheels bring along, where binutils is there to take them off.

Only the standard library is used, and only Linux with glibc is meant: the build stage of the Dockerfile.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

LEFT_OUT_OF_PYTHON = shutil.ignore_patterns(
    *("__pycache__", "site-packages", "dist-packages", "config-*"),
    *("test", "tests", "unittest", "_test*.so", "_ctypes_test*", "xxlimited*"),
    *("ensurepip", "venv", "lib2to3", "idlelib", "pydoc_data", "_pyrepl", "readline*.so"),
    *("tkinter", "_tkinter*", "turtle.py", "turtledemo", "curses", "_curses*"),
    *("dbm", "_dbm*", "_gdbm*", "sqlite3", "_sqlite3*", "xmlrpc"),
)
LEFT_OUT_OF_PACKAGES = shutil.ignore_patterns("*.pyi", "*.pyx", "*.pxd", "*.c", "*.h")
# glibc opens it by itself when a thread ends, so that no file names it.
OPENED_LATER = ("libgcc_s.so.1",)
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/:/nologin\nnobody:x:65532:65532:nobody:/:/nologin\n",
    "etc/group": "root:x:0:\nnobody:x:65532:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


def main(app: Path, image: Path) -> None:
    """Fill the folder ``image``."""
    python = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(app / "lib", below(image, app / "lib"), symlinks=True, ignore=LEFT_OUT_OF_PACKAGES)
    shutil.copytree(library, below(image, library), symlinks=True, ignore=LEFT_OUT_OF_PYTHON)
    copy(app / "bin" / "corsproxy", below(image, app / "bin" / "corsproxy"))
    copy(python, below(image, python))
    link_interpreter(image, app, python)
    copy_libraries(image, app)
    strip(image)
    for name, text in ACCOUNTS.items():
        write(image / name, text)
    copy_authorities(image)
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compiled = compileall.compile_dir(below(image, library), quiet=1, workers=0, invalidation_mode=unchecked)
    if not compiled:
        sys.exit("a module of the standard library cannot be compiled")


def below(image: Path, path: Path) -> Path:
    """Where an absolute path is in the image."""
    return image / path.relative_to("/")


def copy(source: Path, destination: Path) -> None:
    """Copy a file, and what it may do."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, destination)


def write(path: Path, text: str) -> None:
    """Write a new file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def link_interpreter(image: Path, app: Path, python: Path) -> None:
    """Point the application at the interpreter itself: the links that lead there are not all in the image.

    ``home`` tells Python where its library is (https://docs.python.org/3/library/site.html).
    """
    (below(image, app) / "bin" / "python").symlink_to(python)
    settings = (app / "pyvenv.cfg").read_text("utf-8")
    write(below(image, app) / "pyvenv.cfg", re.sub(r"(?m)^home = .*$", f"home = {python.parent}", settings))


def copy_libraries(image: Path, app: Path) -> None:
    """Copy the shared libraries beside libc, where they are looked for, and the loader to where it is asked for."""
    found = dict(libraries(files_of(image)))
    folder = found["libc.so.6"].parent
    for name, path in found.items():
        if path.is_relative_to(app):  # a wheel brought it along, and knows where it is
            continue
        copy(path, below(image, path if name.startswith("/") else folder / name))
    for name in OPENED_LATER:
        if (folder / name).exists():
            copy(folder / name, below(image, folder / name))


def files_of(image: Path) -> Iterator[Path]:
    """Every program and library in ELF format."""
    for path in sorted(image.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


def libraries(files: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """What they are linked with, the name that is asked for and where it is; the loader under its absolute path."""
    for file in files:
        told = subprocess.run(["ldd", file], check=True, capture_output=True, text=True, env=os.environ).stdout  # noqa: S603, S607  # the build stage is ours
        if missing := re.findall(r"(\S+) => not found", told):
            sys.exit(f"{file} needs {', '.join(missing)}, which is not there")
        yield from ((name, Path(path)) for name, path in re.findall(r"^\s*([^\s/]+) => (/\S+) \(", told, re.MULTILINE))
        yield from ((path, Path(path)) for path in re.findall(r"^\s*(/\S+) \(", told, re.MULTILINE))


def strip(image: Path) -> None:
    """Take the symbols off that only a debugger would read; the programs do the same without them."""
    if tool := shutil.which("strip"):
        subprocess.run([tool, "--strip-unneeded", *files_of(image)], check=True)  # noqa: S603  # the build stage is ours


def copy_authorities(image: Path) -> None:
    """Copy the authorities whose certificates are believed, and link them to where OpenSSL looks."""
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    copy(bundle, below(image, bundle))
    link = below(image, Path(ssl.get_default_verify_paths().openssl_cafile))
    if link != below(image, bundle):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(bundle)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
