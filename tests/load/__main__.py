"""``python -m tests.load``."""

from __future__ import annotations

import sys

from tests.load.cli import main

if __name__ == "__main__":
    sys.exit(main())
