"""Tables are aligned, and a row stays a row."""

from __future__ import annotations

from ansible_collections.composeops.stack.plugins.module_utils.tables import table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(["Service", "State"], [["db", "healthy"], ["customer-portal", "up"]]) == [
        "Service          State",
        "---------------  -------",
        "db               healthy",
        "customer-portal  up",
    ]


def test_cell_of_several_lines_is_shown_on_one() -> None:
    assert table(["Why"], [["first\n  second"]])[2] == "first second"


def test_table_without_rows_has_headings() -> None:
    assert table(["A", "B"], []) == ["A  B", "-  -"]


def test_numbers_are_shown_as_text() -> None:
    assert table(["Status"], [[200]])[2] == "200"
