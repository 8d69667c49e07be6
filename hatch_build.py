"""Compiles the modules that every request goes through, when CORSPROXY_COMPILE=1 asks for it while a wheel is built.

Which modules stands in pyproject.toml.  Their Python sources are in the wheel too: they are what tracebacks show, and
what runs where the machine code does not fit.  Without the variable nothing is compiled, so that a checkout and an
installation from source need no compiler.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Types are judged by scripts/test, with every library at hand; here the libraries' types may be missing.
_MYPY_OPTIONS = ("--config-file=", "--ignore-missing-imports", "--no-warn-no-return")

# Nobody puts another function in the place of one of these, so that a call of one goes straight to it, or is inlined.
# Without that, the position-independent code of a library calls each by way of a table.
_C_OPTIONS = ("-fvisibility=hidden", "-fno-semantic-interposition", "-fno-plt")


class CompileHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own configuration class, not ours to name
    """hatchling's hook; it runs before a wheel is packed."""

    def dependencies(self) -> list[str]:
        """What compiling needs besides a C compiler and Python's headers."""
        return ["mypy>=1.15", "setuptools>=77"] if _is_asked() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tell hatchling what came of it; an editable installation stays as it is written."""
        if version == "editable" or not _is_asked():
            return
        self._folder = tempfile.TemporaryDirectory(prefix="corsproxy-compiled-")
        built = _compile(self.config["compiled"], Path(self.root), Path(self._folder.name))
        build_data["force_include"].update({str(file): name for name, file in built.items()})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Leave nothing behind."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()


def _is_asked() -> bool:
    return os.environ.get("CORSPROXY_COMPILE") == "1"


def _compile(modules: list[str], root: Path, folder: Path) -> dict[str, Path]:
    """The extension modules of ``modules``, by their place in the wheel."""
    from mypyc.build import mypycify  # noqa: PLC0415  # only there when it was asked for
    from setuptools import Distribution  # noqa: PLC0415

    before = Path.cwd()
    os.chdir(root)  # mypyc names modules by their path from here
    try:
        extensions = mypycify(
            [*_MYPY_OPTIONS, f"--cache-dir={folder / 'cache'}", *(f"corsproxy/{name}.py" for name in modules)],
            opt_level=os.environ.get("MYPYC_OPT_LEVEL", "3"),
            debug_level="0",
            target_dir=str(folder / "c"),
        )
        if os.name == "posix":
            for extension in extensions:
                extension.extra_compile_args += _C_OPTIONS
        distribution = Distribution({"name": "corsproxy", "ext_modules": extensions})
        command = distribution.get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "o")
        command.ensure_finalized()
        command.run()
    finally:
        os.chdir(before)
    lib = folder / "lib"
    return {file.relative_to(lib).as_posix(): file for file in sorted(lib.rglob("*")) if file.is_file()}
