# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Aligned text tables, for the end of a play and for the program on the host."""

from __future__ import annotations

from collections.abc import Sequence


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return the lines of a table: headings, a rule, the rows; the last column is as wide as it needs to be.

    A cell of several lines is shown on one, so that a row stays a row.
    """
    cells = [[" ".join(str(cell).split()) for cell in row] for row in (columns, *rows)]
    widths = [max(len(row[index]) if index < len(row) else 0 for row in cells) for index in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in cells]
    rule = "  ".join("-" * width for width in widths)
    return [lines[0], rule, *lines[1:]]
