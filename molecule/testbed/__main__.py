"""`python -m testbed`, with PYTHONPATH=molecule."""

from __future__ import annotations

import sys

from testbed.cli import main

sys.exit(main())
