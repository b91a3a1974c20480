# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Properties are tried with the same examples every time, however busy the machine is.

To look for others: ``pytest --hypothesis-profile=default``, where it may take another time and fail another time.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("reproducible", derandomize=True, deadline=None)
settings.load_profile("reproducible")
