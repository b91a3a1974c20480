"""Python packages of an image, fetched by this machine's pip: the image then needs no way to PyPI."""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys

from testbed.errors import BedError
from testbed.images import FOLDER, Files
from testbed.runner import run
from testbed.state import StateDirectory

# Debian 12's.
PYTHON = "3.11"


def files(directory: StateDirectory, folder: str) -> Files:
    """The wheels that the image's requirements.txt names by their hashes, fetched once per bed."""
    requirements = FOLDER / folder / "requirements.txt"
    lock = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    target = directory / "build" / f"wheels-{folder}-{lock}"
    if not target.is_dir():
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700, parents=True)
        machine = platform.machine()
        run(
            (
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
                *("--python-version", PYTHON, "--implementation", "cp"),
                *("--platform", f"manylinux2014_{machine}", "--platform", f"manylinux_2_28_{machine}"),
                *("--require-hashes", "--requirement", str(requirements), "--dest", str(partial)),
            ),
            log=directory / "logs" / f"wheels-{folder}.log",
            next_step="Check that pip reaches PyPI: `pip download fastapi`.",
        )
        partial.rename(target)
    found = {f"wheels/{path.name}": path.read_bytes() for path in sorted(target.glob("*.whl"))}
    if not found:
        raise BedError(f"There are no wheels in {target}.", "Remove the directory and run `bed up` again.")
    return found
