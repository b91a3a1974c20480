# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The version of the collection, for where galaxy.yml is not at hand; a test keeps the two equal."""

from __future__ import annotations

VERSION = "0.1.0"
