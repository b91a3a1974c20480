from __future__ import annotations

import sys

from sample.cli import main

sys.exit(main())
