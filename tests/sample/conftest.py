"""The application is not a package of this project: it is found where its image is built."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "molecule" / "testbed" / "images" / "sample"))
