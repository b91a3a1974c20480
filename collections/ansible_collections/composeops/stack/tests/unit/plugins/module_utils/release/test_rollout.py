# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release import state
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import STEPS
from ansible_collections.composeops.stack.plugins.module_utils.release.model import HealthPolicy, Migration
from ansible_collections.composeops.stack.tests.unit.support.colour_host import (
    COMPOSE,
    Host,
    deaths,
    host_fixture,
    late,
)

__all__ = ["host_fixture"]


def test_rfx_05_the_first_release_is_gated_and_goes_to_blue(host: Host) -> None:
    outcome = host.deploy("1")
    assert host.running() == {"shop": "db:1", "shop-blue": "web:1"}
    assert (host.record.colour, host.record.release, host.serving) == ("blue", 1, "blue")
    assert host.history() == {1: "active"}
    assert set(outcome.seconds) <= set(STEPS)
    assert "shop_logs" in host.engine.volumes


def test_rfx_05_an_upgrade_takes_over_from_the_other_colour(host: Host) -> None:
    host.deploy("1")
    outcome = host.deploy("2")
    assert host.running() == {"shop": "db:1", "shop-green": "web:2"}
    assert (host.record.colour, host.record.release, host.serving) == ("green", 2, "green")
    assert host.history() == {2: "active", 1: "superseded"}
    assert outcome.plan.sentences()[-2:] == [
        "switch to green when all of it is healthy and its routes answer",
        "drain blue for up to 10 s, then stop it",
    ]


def test_pet_07_what_was_destroyed_with_its_volumes_is_there_again_after_the_next_run(host: Host) -> None:
    host.deploy("1")
    host.engine.containers.clear()
    host.engine.volumes.clear()
    host.deploy("1")
    assert host.running() == {"shop": "db:1", "shop-blue": "web:1"}
    assert "shop_logs" in host.engine.volumes


def test_ten_releases_in_a_row_use_the_same_ports_and_keep_what_is_asked(host: Host) -> None:
    for number in range(10):
        host.deploy(str(number % 2 + 1))
        assert {endpoint.host_port for endpoint in host.record.endpoints} == {21000, 21010}
    assert host.history() == {10: "active", 9: "superseded", 8: "superseded"}


def test_pet_11_data_services_are_left_alone(host: Host) -> None:
    host.deploy("1")
    database = host.engine.of("db")["Id"]
    host.deploy("2")
    assert host.engine.of("db")["Id"] == database


def test_the_prediction_is_what_is_done_and_changes_nothing(host: Host) -> None:
    host.deploy("1")
    before = (host.running(), host.serving, host.history())
    predicted = host.predict("2")
    assert (host.running(), host.serving, host.history()) == before
    assert host.engine.count("pull", "web:2") == 0
    assert host.deploy("2").plan.sentences() == predicted.sentences()


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_second_run_changes_nothing_in_either_colour(host: Host, version: str) -> None:
    host.deploy("1")
    host.deploy(version)
    host.engine.calls.clear()
    outcome = host.deploy()
    assert not outcome.plan.changes
    assert [call[1] for call in host.engine.calls] == ["ps", "inspect", "image"]


def test_a_changed_configuration_alone_is_a_release(host: Host) -> None:
    host.deploy("1")
    changed = json.loads(json.dumps(COMPOSE))
    changed["services"]["web"]["environment"] = {"MOTTO": "two"}
    host.deploy(compose=json.dumps(changed))
    assert (host.serving, host.running()) == ("green", {"shop": "db:1", "shop-green": "web:1"})


def test_a_moved_tag_is_a_release(host: Host) -> None:
    host.deploy("1", pull="always")
    host.engine.registry["web:1"] = "sha256:moved"
    host.deploy(pull="always")
    assert host.serving == "green"
    assert host.engine.of("web")["Image"] == "sha256:moved"
    assert not host.deploy(pull="always").plan.changes


def test_the_old_colour_ends_when_its_requests_have(host: Host) -> None:
    host.deploy("1")
    host.under_way = [3, 2, 1, 0, 9]
    host.deploy("2")
    assert host.under_way == [9]


def test_the_old_colour_ends_when_its_time_is_over(host: Host) -> None:
    host.deploy("1")
    host.under_way = [1] * 1000
    outcome = host.deploy("2")
    assert outcome.seconds["drain"] == pytest.approx(10, abs=1)
    assert host.running() == {"shop": "db:1", "shop-green": "web:2"}


def break_migration(host: Host) -> None:
    host.options["migration"] = Migration("web", ("migrate",))
    host.engine.migration = (1, "", "relation exists")


FAULTS: dict[str, tuple[Callable[[Host], None], str]] = {
    "never healthy": (lambda host: host.engine.never_healthy.add("web:2"), "web: not ready after 4 tries"),
    "healthy, but not what it should be": (
        lambda host: setattr(host, "answers", lambda image: "it is version 1, not 2" if image == "web:2" else ""),
        "web: it is version 1, not 2",
    ),
    "healthy, then failing inside the watch window": (
        lambda host: setattr(host, "answers", late("web:2", 3.2, host)),
        "web: it answers / with status 502",
    ),
    "a container that cannot be created": (
        lambda host: host.engine.refusing.update({"web-green": "Error response from daemon: no space left on device"}),
        "no space left on device",
    ),
    "a migration that fails": (
        break_migration,
        "the migration failed. docker compose run of stack shop-green failed: relation exists",
    ),
}


@pytest.mark.parametrize(("break_it", "said"), FAULTS.values(), ids=FAULTS.keys())
def test_a_failed_release_leaves_the_one_before_serving_and_says_why(
    host: Host, break_it: Callable[[Host], None], said: str
) -> None:
    host.deploy("1")
    web = host.engine.of("web")["Id"]
    break_it(host)
    error = host.fail("2")
    assert said in str(error)
    assert "The release before was put back, and all its services are ready." in str(error)
    assert (host.served(), host.record.colour, host.record.release) == ("web:1", "blue", 1)
    assert host.engine.of("web")["Id"] == web
    assert host.history()[2] == "failed"
    assert host.running() == {"shop": "db:1", "shop-blue": "web:1"}
    assert not host.deploy("1").plan.changes


def test_a_failed_release_can_be_deployed_again_once_it_is_mended(host: Host) -> None:
    host.deploy("1")
    host.engine.never_healthy.add("web:2")
    host.fail("2")
    host.engine.never_healthy.clear()
    host.deploy("2")
    assert (host.served(), host.history()) == ("web:2", {3: "active", 2: "failed", 1: "superseded"})


def test_a_first_release_that_fails_is_not_recorded_as_deployed(host: Host) -> None:
    host.answers = late("web:1", 3.2, host)
    error = host.fail("1")
    assert "It is the first release: what was started is left there to be looked at." in str(error)
    assert state.read_state("shop", str(host.root / "stacks")) is None
    host.answers = lambda image: ""
    assert host.deploy("1").plan.changes
    assert not host.deploy("1").plan.changes


def test_an_image_that_cannot_be_pulled_starts_no_release(host: Host) -> None:
    host.deploy("1")
    with pytest.raises(Exception, match="Image web:99 cannot be pulled"):
        host.deploy("99")
    assert (host.served(), host.history()) == ("web:1", {1: "active"})


def test_a_container_that_ended_is_started_in_its_colour(host: Host) -> None:
    host.deploy("1")
    host.deploy("2")
    host.engine.stop("web", 137)
    outcome = host.deploy()
    assert outcome.plan.sentences() == ["green: start web: shop-green-web-green-1 is exited"]
    host.clock.sleep(2)
    assert (host.served(), host.record.release) == ("web:2", 2)


def test_a_service_that_was_replaced_in_place_moves_into_a_colour_on_its_port(host: Host) -> None:
    host.deploy("1", overlapping=())
    assert host.running() == {"shop": "web:1"}
    outcome = host.deploy("1")
    assert "stop web: it moves into a colour, and requests to it fail until it runs there" in outcome.plan.sentences()
    assert host.running() == {"shop": "db:1", "shop-blue": "web:1"}
    assert state.Endpoint("web", 80, "127.0.0.1", 21000, "blue") in host.record.endpoints
    assert not host.deploy("1").plan.changes


def test_a_service_that_fails_to_move_into_a_colour_is_put_back_where_it_was(host: Host) -> None:
    host.deploy("1", overlapping=())
    host.engine.never_healthy.add("web:2")
    error = host.fail("2")
    assert "The release before was put back, and all its services are ready." in str(error)
    assert host.running() == {"shop": "web:1"}
    assert not host.deploy("1", overlapping=()).plan.changes


def test_a_service_leaves_its_colour_for_good(host: Host) -> None:
    host.deploy("1")
    host.deploy("1", overlapping=())
    assert set(host.running()) == {"shop"}
    assert host.record.colour == ""
    assert not host.deploy("1", overlapping=()).plan.changes


def test_stop_and_restart_find_the_colour(host: Host) -> None:
    host.deploy("1")
    host.deploy("2")
    operations = host.operations()
    assert set(operations.stop([], check=False).plan) == {"stop shop-db-1", "stop shop-green-web-green-1"}
    assert set(operations.restart([], HealthPolicy(), 40, check=False).plan) == {
        "restart shop-db-1",
        "restart shop-green-web-green-1",
    }
    host.clock.sleep(2)
    assert host.served() == "web:2"
    operations.remove(check=False)
    assert (host.running(), host.serving) == ({}, "blue")


def test_going_back_repeats_the_release_and_withdraws_the_other(host: Host) -> None:
    host.deploy("1")
    host.deploy("2")
    host.go_back(1)
    assert (host.served(), host.serving) == ("web:1", "blue")
    assert host.history() == {3: "active", 2: "withdrawn", 1: "superseded"}
    assert host.kept().all()[0].reason == "repeats release 1"
    assert not host.deploy("1").plan.changes


def test_rfx_05_a_release_may_die_at_any_point_and_one_serves_throughout(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.deploy("1")
    seen = set()
    count = 0
    for _ in deaths(host, monkeypatch, lambda: host.deploy("2")):
        count += 1
        seen.add(host.served())
        host.deploy("2")
        assert host.running() == {"shop": "db:1", f"shop-{host.serving}": "web:2"}
        assert (host.served(), host.record.colour) == ("web:2", host.serving)
        assert set(host.history().values()) <= {"active", "superseded", "abandoned"}
        assert host.history()[host.record.release] == "active"
        assert not host.deploy("2").plan.changes
        host.deploy("1")
    assert seen == {"web:1", "web:2"}
    assert count > 25


def test_rfx_05_a_release_that_died_can_be_taken_back_by_declaring_the_old_one(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.deploy("1")
    for _ in deaths(host, monkeypatch, lambda: host.deploy("2")):
        host.served()
        host.deploy("1")
        assert host.running() == {"shop": "db:1", f"shop-{host.serving}": "web:1"}
        assert host.served() == "web:1"
        assert not host.deploy("1").plan.changes


def test_a_failed_release_may_die_while_it_is_taken_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deploy("1")
    host.engine.never_healthy.add("web:2")
    for _ in deaths(host, monkeypatch, lambda: host.fail("2")):
        assert host.served() == "web:1"
        host.fail("2")
        assert host.served() == "web:1"
        assert not host.deploy("1").plan.changes
