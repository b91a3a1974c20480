# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The systemd timers of a backup source, of its backups and of its drills, as text."""

from __future__ import annotations

from dataclasses import dataclass

DIRECTORY = "/etc/systemd/system"


@dataclass(frozen=True)
class Calendar:
    """When a timer elapses, and by how much it may be late, so that hosts do not all begin at once."""

    expression: str
    spread: str


CALENDARS = {
    "hourly": Calendar("hourly", "5min"),
    "daily": Calendar("*-*-* 02:30:00", "30min"),
    "weekly": Calendar("Sun *-*-* 02:30:00", "30min"),
}


DRILL_CALENDARS = {
    "daily": Calendar("*-*-* 04:30:00", "1h"),
    "weekly": Calendar("Sun *-*-* 04:30:00", "1h"),
    "monthly": Calendar("*-*-01 04:30:00", "1h"),
}
"""Later than the backups of the same night, and spread further: a drill is heavy and can wait."""

NEVER = "never"


def name(source: str) -> str:
    """Return the name of a source's timer."""
    return f"composeops-backup@{source}.timer"


def path(source: str) -> str:
    """Return the file of a source's timer."""
    return f"{DIRECTORY}/{name(source)}"


def calendar(schedule: str) -> Calendar:
    """Return what a schedule means; one that is no word of ours is systemd's own notation."""
    return CALENDARS.get(schedule, Calendar(schedule, "5min"))


def text(source: str, schedule: str) -> str:
    """Return the timer's file."""
    return _text(f"Back up {source}: {schedule}", calendar(schedule))


def drill_name(source: str) -> str:
    """Return the name of the timer of a source's drills."""
    return f"composeops-drill@{source}.timer"


def drill_path(source: str) -> str:
    return f"{DIRECTORY}/{drill_name(source)}"


def drill_text(source: str, schedule: str) -> str:
    """Return the file of the timer of a source's drills."""
    when = DRILL_CALENDARS.get(schedule, Calendar(schedule, "5min"))
    return _text(f"Prove the newest backup of {source}: {schedule}", when)


def _text(description: str, when: Calendar) -> str:
    return f"""\
# Written by the role backup; a change made here is undone by its next run.
[Unit]
Description={description}

[Timer]
OnCalendar={when.expression}
RandomizedDelaySec={when.spread}
FixedRandomDelay=true
# A run that was missed while the host was off is made good when it is on again.
Persistent=true

[Install]
WantedBy=timers.target
"""
