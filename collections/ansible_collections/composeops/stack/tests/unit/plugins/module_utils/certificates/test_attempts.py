# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import attempts
from ansible_collections.composeops.stack.plugins.module_utils.certificates.attempts import Attempts

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)


@pytest.mark.parametrize(("failures", "hours"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, 24), (500, 24)])
def test_the_timer_waits_longer_after_each_failure_a_day_at_most(failures: int, hours: int) -> None:
    assert attempts.delay(failures) == timedelta(hours=hours)


def test_a_failure_is_counted_with_its_reason_and_keeps_what_else_is_known() -> None:
    memory = attempts.failed(attempts.failed(Attempts(renew_at=5), "first", NOW), "second", NOW)
    assert (memory.failures, memory.reason, memory.renew_at) == (2, "second", 5)
    assert [memory.waiting(NOW + timedelta(hours=hours)) for hours in (0, 1, 2)] == [True, True, False]


def test_a_time_that_the_authority_names_is_waited_for() -> None:
    memory = attempts.failed(Attempts(), "limit", NOW, NOW + timedelta(days=3))
    assert memory.waiting(NOW + timedelta(days=2))
    assert not memory.waiting(NOW + timedelta(days=3))
    assert attempts.failed(Attempts(), "limit", NOW, NOW).waiting(NOW + timedelta(minutes=59))


def test_what_is_remembered_is_read_again_and_forgotten_after_a_success(tmp_path: Path) -> None:
    directory = str(tmp_path / "certificates")
    memory = attempts.failed(Attempts(), "refused", NOW)
    attempts.write("a.test", memory, directory)
    assert attempts.read("a.test", directory) == memory
    attempts.forget("a.test", directory)
    attempts.forget("a.test", directory)
    assert attempts.read("a.test", directory) == Attempts()


@pytest.mark.parametrize("text", ["{", "[]", '{"unknown": 1}'])
def test_what_cannot_be_understood_keeps_nobody_from_asking(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.test.json").write_text(text)
    assert attempts.read("a.test", str(tmp_path)) == Attempts()


def test_a_disk_that_is_full_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "certificates").write_text("a file in the place of the directory")
    attempts.write("a.test", Attempts(1), str(tmp_path / "certificates"))
