"""What the release benchmark starts, brings to the host, and says of what it saw."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from datetime import datetime, timedelta

import pytest

from benchmarks.converge.bench_host import HarnessError
from benchmarks.release import in_place, report
from benchmarks.release.bench_host import RIVAL_NAMES, rivals_archive
from benchmarks.release.contestants import CONTESTANTS, NEW, OLD
from benchmarks.release.measurement import Sample, account
from tests.load.mix import Kind
from tests.load.observations import Request, Run, Writes
from tests.load.report import judge

LOAD_STARTED = datetime.fromisoformat("2026-01-01T00:00:00.000+00:00")
UPGRADE_STARTED = LOAD_STARTED + timedelta(seconds=5)

SAMPLE = Sample(
    contestant="compose",
    sent=1000,
    failed=200,
    failed_by_kind={"fresh": 150, "post": 50},
    keep_alive_races=2,
    outage=9.5,
    command=12.0,
    first_new=8.0,
    all_new=10.0,
    both=2.0,
    lost_writes=0,
    closes={1012: 10},
    without_websocket=11.0,
)


def answer(service: str, version: str, ended: float, error: str = "") -> Request:
    return Request(Kind.KEEP_ALIVE, service, ended, ended, ended, None if error else 200, version, error)


def seen(*requests: Request, writes: Writes | None = None) -> Run:
    return Run(LOAD_STARTED.isoformat(), "10.0.0.2", 30.0, 1.0, 0.02, requests, writes=writes or Writes())


UPGRADED = (
    answer("backend", OLD, 1.0),
    answer("portal", OLD, 9.0),
    answer("portal", "", 10.0, "status 502"),
    answer("backend", NEW, 12.0),
    answer("portal", NEW, 17.0),
)


def test_a_release_is_timed_from_the_start_of_its_command() -> None:
    sample = account("in-place", judge(seen(*UPGRADED)), UPGRADE_STARTED, 20.0)
    assert (sample.first_new, sample.all_new, sample.command) == (7.0, 12.0, 20.0)
    assert (sample.sent, sample.failed, sample.failed_by_kind) == (5, 1, {"keep-alive": 1})


@pytest.mark.parametrize(
    ("switch", "both"),
    [
        pytest.param(UPGRADED, 0.0, id="none-before-all-old-ones-ended"),
        pytest.param((*UPGRADED, answer("portal", OLD, 14.5)), 2.5, id="some"),
    ],
)
def test_versions_side_by_side_are_timed(switch: tuple[Request, ...], both: float) -> None:
    assert account("in-place", judge(seen(*switch)), UPGRADE_STARTED, 20.0).both == both


def test_acknowledged_writes_that_are_gone_are_counted() -> None:
    run = seen(*UPGRADED, writes=Writes(acknowledged=3, stored=1, missing=("x-1", "x-2")))
    assert account("in-place", judge(run), UPGRADE_STARTED, 20.0).lost_writes == 2


@pytest.mark.parametrize(
    "requests",
    [UPGRADED[:4], (answer("backend", NEW, 1.0),), ()],
    ids=["one-service-stayed-old", "began-new", "no-answer"],
)
def test_an_upgrade_that_did_not_happen_is_not_measured(requests: tuple[Request, ...]) -> None:
    with pytest.raises(HarnessError, match="not every service went from"):
        account("in-place", judge(seen(*requests)), UPGRADE_STARTED, 20.0)


def test_command_lines_are_filled_in() -> None:
    by_name = {contestant.name: contestant for contestant in CONTESTANTS}
    ours, replacing, compose = by_name["blue-green"], by_name["in-place"], by_name["compose"]
    values = {"inventory": ".testbed/inventory-x", "in_place": "replacing", "version": NEW}
    assert "inventories/petcare -i replacing -i .testbed/inventory-x" in " ".join(replacing.upgrade.filled_in(values))
    assert ours.upgrade.filled_in(values)[1:] == [
        *("-i", "inventories/petcare", "-i", ".testbed/inventory-x"),
        *("playbooks/deploy.yml", "-e", f"petcare_version={NEW}"),
    ]
    assert compose.upgrade.filled_in(values) == ["bash", "/opt/release-bench/upgrade-compose.sh", NEW]
    assert compose.upgrade.on_host
    assert not ours.upgrade.on_host


def test_in_place_changes_how_a_stack_is_released_and_nothing_else() -> None:
    definition = {
        "name": "petcare",
        "port_base": 21000,
        "rollout": {"strategy": "blue_green"},
        "overlapping": ["backend"],
    }
    assert in_place.overlay({"petcare_version": "1.0.0", "stack_definitions": [definition]}) == {
        "stack_definitions": [{"name": "petcare", "port_base": 21000, "rollout": {"strategy": "in_place"}}]
    }


def test_the_host_gets_what_the_commands_name_and_the_systems_own_compose_file() -> None:
    with tarfile.open(fileobj=io.BytesIO(rivals_archive())) as archive:
        names = set(archive.getnames())
    for contestant in CONTESTANTS:
        for command in (contestant.begin, contestant.upgrade, contestant.end):
            assert not command.on_host or command.argv[1].removeprefix("/") in names
    for rival in RIVAL_NAMES:
        for file in ("compose.yaml", "compose.override.yaml", "upstreams.conf", "files/postgres/init.sql"):
            assert f"opt/release-bench/{rival}/{file}" in names


def test_the_page_has_medians_with_their_range() -> None:
    others = [dataclasses.replace(SAMPLE, failed=failed, outage=9.5 + failed / 1000) for failed in (100, 300)]
    page = report.page([SAMPLE, *others], {"machine": "a test"}, 220.0)
    (row,) = [line for line in page.splitlines() if line.startswith("| `docker compose")]
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        *("`docker compose up -d --wait`", "1000", "200 (100 to 300)", "2", "9.60 (9.50 to 9.80)"),
        *("12.0", "8.0", "10.0", "2.0", "11.00", "0"),
    ]
    assert "- machine: a test" in page
    assert "failed 450x fresh, 150x post; WebSockets closed by code 30x 1012" in page


def test_contestants_without_a_sample_have_no_row() -> None:
    page = report.page([SAMPLE], {}, 220.0)
    assert "deploy.yml" not in page
    assert "scale up" not in page
