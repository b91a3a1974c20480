"""Releases that go well, one after the other, while clients use the system: nobody notices."""

from __future__ import annotations

import pytest

from tests.faults.petcare import ROUTED, Petcare
from tests.faults.timeline import Timeline
from tests.faults.under_load import under_load
from tests.faults.variants import NEW, OLD, Variant, backend, merged
from tests.load.observations import Request

pytestmark = pytest.mark.bed

# With holds this short, a release that has just started on a busy machine would be judged by its first, slower answers.
CANARY = {"rollout": {"canary": {"steps": [10, 50], "hold": 5, "requests": 5, "latency": 20}}}
WARM = {"rollout": {"warm": True}}


def test_rfx_05_ten_releases_in_a_row_of_versions_and_of_configuration_alone(petcare: Petcare) -> None:
    def releases(timeline: Timeline) -> None:
        before = OLD
        for number in range(1, 11):
            configuration = number % 3 == 0
            version = before if configuration else {OLD: NEW, NEW: OLD}[before]
            what = "new configuration" if configuration else f"version {version}"
            with timeline.window(f"release {number}: {what}", closes=before):
                run = petcare.release(backend(version, GREETING=f"number {number // 3}"))
                assert run.ok, run.output
                assert run.changed, "nothing was released"
            before = version

    report = under_load("ten-releases", petcare.host.inventory, petcare.back_to_old, releases)
    petcare.assert_serves(NEW)
    assert {seen.version for seen in report.versions} == {OLD, NEW}


def test_sag_07_a_canary_that_does_well_takes_over_and_one_that_does_worse_is_gone_at_once(petcare: Petcare) -> None:
    def told_to_fail(request: Request) -> bool:
        """The part of the clients on which the release is tried sees what is wrong with it."""
        return (request.service, request.version, request.error) == ("backend", OLD, "status 500")

    def canaries(timeline: Timeline) -> None:
        with timeline.window("a canary that does well", closes=OLD):
            run = petcare.release(Variant(NEW, options=CANARY))
            assert run.ok, run.output
            assert petcare.answers() == dict.fromkeys(ROUTED, NEW)
        with timeline.window("a canary that answers 500", tolerated=told_to_fail):
            worse = {"SAMPLE_FAULT_ERROR_RATE": "0.5", "SAMPLE_FAULT_PATH": "/api/version"}
            run = petcare.release(backend(OLD, options=CANARY, **worse))
            (message,) = run.failures
            assert "canary" in message.lower(), message
            assert "failed in" in message, message

    report = under_load("canary", petcare.host.inventory, petcare.back_to_old, canaries)
    petcare.assert_serves(NEW)
    # Tried on a tenth of the requests for a quarter of the versions asked for, it is noticed early.
    seen = sum(told_to_fail(request) for request in report.run.requests)
    assert 0 < seen < report.sent / 50


def test_sag_07_a_rollback_cold_and_warm(petcare: Petcare) -> None:
    warm = merged(WARM, {})

    def rollbacks(timeline: Timeline) -> None:
        with timeline.window("the new version", closes=OLD):
            assert petcare.release(Variant(NEW)).ok
        with timeline.window("back to the old one, which is started anew", closes=NEW):
            result = petcare.rollback()
            assert not result["failed"], result["msg"]
            assert petcare.answers() == dict.fromkeys(ROUTED, OLD)
        with timeline.window("the new version, and the old one stays warm", closes=OLD):
            run = petcare.release(Variant(NEW, options=warm))
            assert run.ok, run.output
        kept = petcare.containers_of(petcare.idle)
        assert set(kept) == set(ROUTED)
        with timeline.window("back to the old one, which still runs", closes=NEW):
            result = petcare.rollback()
            assert not result["failed"], result["msg"]
            assert petcare.answers() == dict.fromkeys(ROUTED, OLD)
        assert petcare.containers_of(petcare.record["colour"]) == kept, "a container was made for a switch"

    under_load("rollback", petcare.host.inventory, petcare.back_to_old, rollbacks)
