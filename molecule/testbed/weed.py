"""SeaweedFS' one program."""

from __future__ import annotations

from testbed import wheel_programs
from testbed.images import Files
from testbed.state import StateDirectory


def files(directory: StateDirectory) -> Files:
    return {"weed": wheel_programs.program(directory, "s3", "weed").read_bytes()}
