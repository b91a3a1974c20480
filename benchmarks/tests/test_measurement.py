"""A turn counts only when the contestant did what it is measured for, and left the host as the others do."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.converge import measurement
from benchmarks.converge.bench_host import HarnessError
from benchmarks.converge.contestants import CONTESTANTS, OURS, Scope
from benchmarks.converge.measurement import FIRST, NO_CHANGE, Turns
from benchmarks.converge.stopwatch import Timed
from benchmarks.converge.workspace import Workspace

STOCK = next(contestant for contestant in CONTESTANTS if contestant.name == "stock")


class Host:
    """A host whose snapshots are given beforehand, and that remembers which scripts it ran."""

    def __init__(self, *snapshots: str) -> None:
        self._snapshots = list(snapshots)
        self.ran: list[str] = []

    def script(self, name: str, arguments: Sequence[str]) -> str:
        self.ran.append(name)
        return self._snapshots.pop(0) if name == "snapshot.sh" else ""


def recap(changed: int, failed: int = 0) -> str:
    return f"bench : ok=9 changed={changed} unreachable=0 failed={failed}"


@pytest.fixture
def turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Turns]:
    """Turns on a given host, whose contestants print the given recaps, one after the other, in 2 s each."""

    def make(host: Host, *outputs: str, returncode: int = 0) -> Turns:
        remaining = list(outputs)

        def timed(*_arguments: Any) -> Timed:
            return Timed(2.0, returncode, remaining.pop(0))

        monkeypatch.setattr(measurement, "timed", timed)
        return Turns(host, Workspace(tmp_path / "work"), ["jq"], ["a.example.test"])  # type: ignore[arg-type]

    return make


def test_a_turn_starts_from_a_bare_host_and_looks_at_it_after_each_converge(turns: Callable[..., Turns]) -> None:
    host = Host("same", "same")
    taken = turns(host, recap(3), recap(0)).take(OURS, Scope.FILES_AND_PACKAGES, "loopback", 0)
    assert taken == {FIRST: 2.0, NO_CHANGE: 2.0}
    assert host.ran == ["reset.sh", "snapshot.sh", "snapshot.sh"]


def test_a_whole_host_is_asked_for_its_services_too(turns: Callable[..., Turns]) -> None:
    host = Host("same", "same")
    turns(host, recap(3), recap(0)).take(OURS, Scope.WHOLE_HOST, "loopback", 0)
    assert host.ran == ["reset.sh", *["snapshot.sh", "snapshot-services.sh"] * 2]


def test_samples_are_kept_as_they_come(turns: Callable[..., Turns]) -> None:
    taking = turns(Host("same", "same"), recap(3), recap(0))
    taking.take(OURS, Scope.FILES_AND_PACKAGES, "25ms", 4)
    kept = (taking.workspace.directory / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in kept] == [
        {
            "contestant": "ours",
            "scope": "files and packages",
            "distance": "25ms",
            "kind": kind,
            "repetition": 4,
            "seconds": 2.0,
        }
        for kind in (FIRST, NO_CHANGE)
    ]


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        pytest.param([recap(0)], "did not change the host", id="first converge that found nothing to do"),
        pytest.param([recap(3, failed=1)], "did not change the host", id="first converge that failed in part"),
        pytest.param([recap(3), recap(1)], "1 changes where nothing was to change", id="second converge that changed"),
    ],
)
def test_a_converge_that_is_not_what_it_is_measured_as_ends_the_run(
    turns: Callable[..., Turns], outputs: list[str], message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        turns(Host("same", "same"), *outputs).take(STOCK, Scope.FILES_AND_PACKAGES, "loopback", 0)


def test_a_failing_contestant_ends_the_run(turns: Callable[..., Turns]) -> None:
    with pytest.raises(HarnessError, match="stock modules, default settings failed with status 4"):
        turns(Host(), "", returncode=4).take(STOCK, Scope.FILES_AND_PACKAGES, "loopback", 0)


def test_contestants_that_leave_different_hosts_end_the_run(turns: Callable[..., Turns]) -> None:
    host = Host("file /a 644\nfile /b 644", "file /a 644\nfile /b 644", "file /a 600\nfile /b 644")
    taking = turns(host, recap(3), recap(0), recap(3))
    taking.take(OURS, Scope.FILES_AND_PACKAGES, "loopback", 0)
    with pytest.raises(HarnessError, match=r"(?s)stock left another host than ours:.*-file /a 644.*\+file /a 600"):
        taking.take(STOCK, Scope.FILES_AND_PACKAGES, "loopback", 0)


def test_a_no_change_converge_that_changed_the_host_in_silence_ends_the_run(turns: Callable[..., Turns]) -> None:
    with pytest.raises(HarnessError, match="left another host"):
        turns(Host("before", "after"), recap(3), recap(0)).take(OURS, Scope.FILES_AND_PACKAGES, "loopback", 0)
