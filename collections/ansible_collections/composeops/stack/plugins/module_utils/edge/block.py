# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The braces of nginx's language."""

from __future__ import annotations

from collections.abc import Iterable


def block(opening: str, lines: Iterable[str]) -> list[str]:
    """Return ``lines`` in braces behind ``opening``, indented."""
    return [f"{opening} {{", *(f"    {line}" if line else "" for line in lines), "}"]
