# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release import hold
from ansible_collections.composeops.stack.plugins.module_utils.release.model import RESERVED

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
ADA = hold.make("ada", "incident 42", 3600, NOW)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("45m", 2700), ("2h", 7200), ("1d12h", 129600), ("1h30m", 5400), ("7d", 604800)]
)
def test_durations(text: str, seconds: int) -> None:
    assert hold.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "2 h", "2h ", "-2h", "1.5h", "2w", "0s", "8d", "2h\n"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"is not a duration|cannot be held for"):
        hold.duration(text)


def test_a_hold_says_who_why_and_until_when() -> None:
    assert str(ADA) == "ada until 2026-05-01T13:00:00+00:00: incident 42"


@pytest.mark.parametrize("reason", ["", " ", "\n"])
def test_a_hold_needs_a_reason(reason: str) -> None:
    with pytest.raises(InvalidInput, match="needs a reason"):
        hold.make("ada", reason, 3600, NOW)


LATER = NOW + timedelta(minutes=30)
OVER = NOW + timedelta(hours=1)
AGAIN = hold.make("ada", "incident 42", 3600, LATER)
LONGER = hold.make("ada", "incident 42", 7200, LATER)
BOB = hold.make("bob", "audit", 3600, LATER)

PLACED = {
    "nobody holds it": (None, AGAIN, LATER, False, AGAIN.until),
    "the same again": (ADA, AGAIN, LATER, False, None),
    "the same again, to extend it": (ADA, AGAIN, LATER, True, AGAIN.until),
    "longer": (ADA, LONGER, LATER, False, LONGER.until),
    "another reason": (ADA, hold.make("ada", "incident 43", 3600, LATER), LATER, False, AGAIN.until),
    "the old one is over": (ADA, hold.make("bob", "audit", 3600, OVER), OVER, False, "2026-05-01T14:00:00+00:00"),
}


@pytest.mark.parametrize(("there", "wanted", "now", "extend", "until"), PLACED.values(), ids=PLACED.keys())
def test_placing(there: hold.Hold | None, wanted: hold.Hold, now: datetime, extend: bool, until: str | None) -> None:
    placed = hold.place("shop", there, wanted, now, extend=extend)
    assert (placed.until if placed else None) == until


def test_extending_keeps_since_when() -> None:
    placed = hold.place("shop", ADA, AGAIN, LATER, extend=True)
    assert placed is not None
    assert placed.since == ADA.since


@pytest.mark.parametrize("extend", [False, True])
def test_what_another_operator_holds_is_left_alone(extend: bool) -> None:
    with pytest.raises(hold.HeldByHand, match=r"held by ada since .* until .*: incident 42"):
        hold.place("shop", ADA, BOB, LATER, extend=extend)


@pytest.fixture
def root(tmp_path: Path) -> str:
    (tmp_path / "shop").mkdir()
    return str(tmp_path)


def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(hold, "clock", lambda: now)


def test_a_hold_keeps_runs_away_and_says_how_to_resume(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hold.write("shop", ADA, root)
    at(monkeypatch, LATER)
    with pytest.raises(hold.HeldByHand) as raised:
        hold.keep_out("shop", root)
    assert str(raised.value) == (
        "Stack shop is held by ada since 2026-05-01T12:00:00+00:00 until 2026-05-01T13:00:00+00:00: incident 42."
        " Nothing was changed. When that is over, `composeops resume shop` on the host or playbooks/resume.yml"
        " releases it."
    )
    assert hold.in_force("shop", root) == ADA


def test_a_hold_that_is_over_is_removed_by_the_next_run_which_says_so(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold.write("shop", ADA, root)
    at(monkeypatch, OVER)
    assert hold.in_force("shop", root) is None
    assert hold.keep_out("shop", root) == (
        "ada held stack shop until 2026-05-01T13:00:00+00:00 (incident 42); that is over, and was removed"
    )
    assert hold.read("shop", root) is None
    assert hold.keep_out("shop", root) == ""


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"holder": "ada", "reason": "r", "since": "x", "until": "soon", "seconds": 1}',
        '{"holder": "ada", "reason": "r", "since": "x", "until": "2026-05-01T13:00:00", "seconds": 1}',
    ],
    ids=["empty", "cut short", "a list", "nothing in it", "no time", "no time zone"],
)
def test_a_file_that_cannot_be_understood_keeps_runs_away(root: str, content: str) -> None:
    Path(hold.path("shop", root)).write_text(content)
    with pytest.raises(ComposeOpsError, match=r"hold\.json says that somebody holds stack shop, but cannot be underst"):
        hold.keep_out("shop", root)


def test_the_file_is_for_root_and_no_stack_may_bring_one_of_its_name(root: str) -> None:
    hold.write("shop", ADA, root)
    assert Path(hold.path("shop", root)).stat().st_mode & 0o777 == 0o600
    assert hold.FILE in RESERVED
    assert hold.path("shop") == "/var/lib/composeops/stacks/shop/hold.json"
