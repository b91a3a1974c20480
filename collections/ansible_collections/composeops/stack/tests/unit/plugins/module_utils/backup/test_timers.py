# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import timers


@pytest.mark.parametrize(
    ("schedule", "expression"),
    [
        ("hourly", "hourly"),
        ("daily", "*-*-* 02:30:00"),
        ("weekly", "Sun *-*-* 02:30:00"),
        ("Mon..Fri 04:00", "Mon..Fri 04:00"),
    ],
)
def test_a_schedule_is_a_word_or_a_calendar_expression(schedule: str, expression: str) -> None:
    text = timers.text("database", schedule)
    assert f"\nOnCalendar={expression}\n" in text
    assert "\nPersistent=true\n" in text
    assert "\nRandomizedDelaySec=" in text


def test_a_timer_is_named_after_its_service() -> None:
    assert timers.path("database") == "/etc/systemd/system/composeops-backup@database.timer"


@pytest.mark.parametrize(
    ("schedule", "expression"),
    [
        ("daily", "*-*-* 04:30:00"),
        ("weekly", "Sun *-*-* 04:30:00"),
        ("monthly", "*-*-01 04:30:00"),
        ("Mon..Fri 05:00", "Mon..Fri 05:00"),
    ],
)
def test_drills_come_after_the_backups_of_the_night(schedule: str, expression: str) -> None:
    text = timers.drill_text("database", schedule)
    assert f"\nOnCalendar={expression}\n" in text
    assert "\nPersistent=true\n" in text
    assert timers.drill_path("database") == "/etc/systemd/system/composeops-drill@database.timer"
