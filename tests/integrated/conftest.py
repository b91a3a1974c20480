"""The container's programs are no packages of this project: they are found where their image is built."""

from __future__ import annotations

import sys
from pathlib import Path

IMAGES = Path(__file__).parents[2] / "molecule" / "testbed" / "images"
sys.path[:0] = [str(IMAGES / "integrated"), str(IMAGES / "sample")]
