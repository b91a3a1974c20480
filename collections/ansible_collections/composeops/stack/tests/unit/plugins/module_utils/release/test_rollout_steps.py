# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps of a release that not every release has, and what is told where one of them fails."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.release import active, fault, migration_backups, state
from ansible_collections.composeops.stack.plugins.module_utils.release.canary_run import (
    Canary,
    CanaryFailed,
    StepFigures,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import STEPS
from ansible_collections.composeops.stack.plugins.module_utils.release.migration_backups import MigrationBackups
from ansible_collections.composeops.stack.plugins.module_utils.release.model import (
    CanaryPolicy,
    Migration,
    RolloutPolicy,
)
from ansible_collections.composeops.stack.tests.unit.support.colour_host import (
    COMPOSE,
    WITH_JOBS,
    Host,
    host_fixture,
    late,
)

__all__ = ["host_fixture"]

FIGURES = StepFigures(5, 60.0, 100, 1, 0.02, 1900, 3, 0.02)
POLICY = RolloutPolicy("blue_green", watch=2, drain=10, keep=3, canary=CanaryPolicy((5, 50), hold=30))


@pytest.fixture(name="canary")
def canary_fixture(host: Host, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Canaries that are always good, and take notes."""
    seen: list[dict[str, str]] = []

    def run(self: Canary, *, colour: str, before: str) -> tuple[StepFigures, ...]:
        seen.append({"colour": colour, "before": before, "serving": host.serving})
        active.weigh("shop", colour, 50, str(host.root / "active"))
        return (FIGURES, replace(FIGURES, percent=50))

    monkeypatch.setattr(Canary, "run", run)
    host.options["rollout"] = POLICY
    return seen


def test_sag_07_a_release_is_tried_before_it_takes_over(host: Host, canary: list[dict[str, str]]) -> None:
    host.deploy("1")
    assert canary == []
    outcome = host.deploy("2")
    assert canary == [{"colour": "green", "before": "blue", "serving": "blue"}]
    said = "give green 5 and 50 % of the requests for 30 s or longer each, and end the release where it does worse"
    assert f"{said} than blue" in outcome.plan.sentences()
    assert (host.serving, active.weights("shop", str(host.root / "active"))) == ("green", {})
    assert [step["percent"] for step in host.kept().all()[0].canary] == [5, 50]
    assert "canary" in outcome.seconds


def test_sag_07_going_back_is_not_tried(host: Host, canary: list[dict[str, str]]) -> None:
    host.deploy("1")
    host.deploy("2")
    canary.clear()
    host.go_back(1)
    assert (canary, host.served()) == ([], "web:1")


def test_sag_07_a_stopped_stack_has_nothing_to_compare_with(host: Host, canary: list[dict[str, str]]) -> None:
    host.deploy("1")
    host.operations().stop([], check=False)
    host.deploy("2")
    assert canary == []


def test_sag_07_a_canary_that_is_worse_ends_the_release(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(self: Canary, *, colour: str, before: str) -> tuple[StepFigures, ...]:
        raise CanaryFailed("Stack shop: 12 of 180 requests failed in green", "All go to blue again.", [FIGURES])

    monkeypatch.setattr(Canary, "run", run)
    host.options["rollout"] = POLICY
    host.deploy("1")
    error = host.fail("2")
    assert "12 of 180 requests failed in green" in str(error)
    assert "All go to blue again." in str(error)
    assert (host.served(), host.record.release, host.running()) == ("web:1", 1, {"shop": "db:1", "shop-blue": "web:1"})
    failed = host.kept().all()[0]
    assert (failed.status, [step["failed"] for step in failed.canary]) == ("failed", [1])


def test_sag_07_a_run_that_died_in_its_canary_is_undone(host: Host, canary: list[dict[str, str]]) -> None:
    host.deploy("1")
    active.weigh("shop", "green", 5, str(host.root / "active"))
    predicted = host.predict("1").sentences()
    assert predicted[0] == "send no requests to green any more: an earlier run ended during its canary"
    assert host.deploy("1").plan.sentences() == predicted
    assert active.weights("shop", str(host.root / "active")) == {}
    assert not host.deploy("1").plan.changes


def test_websockets_have_a_time_of_their_own(host: Host) -> None:
    host.options["rollout"] = replace(POLICY, canary=CanaryPolicy(), websockets=4)
    host.deploy("1")
    host.under_way = [1] * 1000
    outcome = host.deploy("2")
    assert "drain blue for up to 10 s, and WebSockets for 4 s more, then stop it" in outcome.plan.sentences()
    assert outcome.seconds["drain"] == pytest.approx(10, abs=1)
    assert outcome.seconds["websockets"] == pytest.approx(4, abs=1)
    assert host.running() == {"shop": "db:1", "shop-green": "web:2"}


def test_without_open_connections_nobody_waits_for_websockets(host: Host) -> None:
    host.options["rollout"] = replace(POLICY, canary=CanaryPolicy(), websockets=4)
    host.deploy("1")
    assert "websockets" not in host.deploy("2").seconds


@pytest.fixture(name="backups")
def backups_fixture(host: Host, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources that were backed up, in a host whose releases migrate."""
    taken: list[str] = []
    monkeypatch.setattr(MigrationBackups, "check", lambda self, sources: None)
    monkeypatch.setattr(MigrationBackups, "take", lambda self, sources: taken.extend(sources))
    host.options["migration"] = Migration("web", ("migrate",), backup=("database",))
    return taken


def test_what_a_migration_changes_is_backed_up_before(host: Host, backups: list[str]) -> None:
    host.deploy("1")
    assert backups == []
    outcome = host.deploy("2")
    assert backups == ["database"]
    said = outcome.plan.sentences()
    assert said.index("back up database") < said.index("run once before: web: migrate")


def test_a_backup_that_fails_starts_no_release(host: Host, backups: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: MigrationBackups, sources: Any) -> None:
        raise ComposeOpsError("the backup of database before the migration failed")

    host.deploy("1")
    monkeypatch.setattr(MigrationBackups, "take", fail)
    with pytest.raises(ComposeOpsError, match="the backup of database before the migration failed"):
        host.deploy("2")
    assert (host.served(), host.history(), host.running()) == (
        "web:1",
        {1: "active"},
        {"shop": "db:1", "shop-blue": "web:1"},
    )


def test_a_backup_that_cannot_be_taken_is_told_in_check_mode(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration_backups, "PROGRAM", str(host.root / "missing"))
    host.options["migration"] = Migration("web", ("migrate",), backup=("database",))
    host.deploy("1")
    with pytest.raises(InvalidInput, match="is not on this host"):
        host.predict("2")


def full(path: str) -> Callable[..., None]:
    """Return a function that writes files until the disk is full, which it is for a certain one."""
    write = files.write_atomically

    def written(location: str, content: bytes, **options: Any) -> None:
        if location.endswith(path):
            raise OSError(errno.ENOSPC, "No space left on device", location)
        write(location, content, **options)

    return written


FULL = ["shop.green", "state.json", "colours/green/compose.json", "stacks/shop/environment"]


@pytest.mark.parametrize("path", FULL)
def test_a_full_disk_leaves_the_release_before_serving(host: Host, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    host.deploy("1")
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_atomically", full(path))
        error = host.fail("2")
        assert "No space left on device" in str(error)
        assert "Make room on this host" in str(error)
        assert (host.served(), host.serving, host.record.release) == ("web:1", "blue", 1)
    host.deploy("1")
    assert host.running() == {"shop": "db:1", "shop-blue": "web:1"}
    assert host.served() == "web:1"
    assert not host.deploy("1").plan.changes


def test_a_disk_that_fills_while_pulling_is_told(host: Host) -> None:
    host.deploy("1")
    host.engine.refused_pulls["web:2"] = "write /var/lib/docker/tmp/GetImageBlob1: no space left on device"
    with pytest.raises(ComposeOpsError) as raised:
        host.deploy("2")
    assert "Image web:2 cannot be pulled: write /var/lib/docker/tmp" in str(raised.value)
    assert "Make room on this host" in raised.value.remedy
    assert "Nothing was changed." in raised.value.remedy
    assert host.served() == "web:1"


def test_a_release_that_cannot_be_taken_back_keeps_running(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deploy("1")
    host.answers = late("web:2", 3.2, host)

    def stuck(stack: str, colour: str, directory: str) -> None:
        if colour == "blue":
            raise OSError(errno.EROFS, "Read-only file system", directory)
        switch(stack, colour, directory)

    switch = active.switch
    with monkeypatch.context() as patch:
        patch.setattr(active, "switch", stuck)
        error = host.fail("2")
    assert "Going back to the release before failed too, so that the new one keeps running" in str(error)
    assert "put back" not in str(error)
    assert not error.restored
    assert (host.serving, host.running()) == ("green", {"shop": "db:1", "shop-blue": "web:1", "shop-green": "web:2"})
    host.deploy("1")
    assert (host.served(), host.running()) == ("web:1", {"shop": "db:1", "shop-blue": "web:1"})


def test_a_record_that_cannot_be_taken_back_keeps_both_releases_running(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.deploy("1")
    host.answers = late("web:2", 3.2, host)
    write = state.write_state
    writes: list[int] = []

    def stuck(record: state.StackState, root: str) -> None:
        writes.append(record.release)
        if len(writes) > 1:
            raise OSError(errno.ENOSPC, "No space left on device", root)
        write(record, root)

    with monkeypatch.context() as patch:
        patch.setattr(state, "write_state", stuck)
        assert "so that the new one keeps running" in str(host.fail("2"))
    assert host.running() == {"shop": "db:1", "shop-blue": "web:1", "shop-green": "web:2"}
    host.answers = lambda image: ""
    host.deploy("1")
    assert (host.served(), host.running()) == ("web:1", {"shop": "db:1", "shop-blue": "web:1"})


def test_a_release_that_fails_after_it_took_over_says_that_it_had(host: Host) -> None:
    host.deploy("1")
    host.answers = late("web:2", 3.2, host)
    assert "It had taken over; requests go to blue again." in str(host.fail("2"))


def test_a_release_whose_predecessor_cannot_be_stopped_says_that_it_serves(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.deploy("1")
    compose = host.engine._compose

    def stuck(argv: list[str], stdin: str, environment: dict[str, str]) -> tuple[int, str, str]:
        return (1, "", "Error response from daemon: stuck") if "down" in argv else compose(argv, stdin, environment)

    with monkeypatch.context() as patch:
        patch.setattr(host.engine, "_compose", stuck)
        error = host.fail("2")
    assert "docker compose down of stack shop-blue failed" in str(error)
    assert "Release 2 serves; the next run finishes what is left." in str(error)
    assert (host.served(), error.changed) == ("web:2", True)
    host.deploy("2")
    assert host.running() == {"shop": "db:1", "shop-green": "web:2"}
    assert host.history() == {2: "active", 1: "superseded"}


def test_a_container_that_the_kernel_killed_in_the_watch_says_so(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deploy("1")

    def killed(colour: str) -> None:
        switch(colour)
        web = next(found for found in host.engine.containers.values() if found["Config"]["Image"] == "web:2")
        web["State"].update(Status="exited", Running=False, ExitCode=137, OOMKilled=True)

    deployment = host.deployment(environment={"VERSION": "2"})
    switch = deployment.rollout.switch
    monkeypatch.setattr(deployment.rollout, "switch", killed)
    observed = deployment.observe()
    target = deployment.target(observed)
    with pytest.raises(ComposeOpsError, match="exited: it ended with status 137, out of memory"):
        deployment.apply(observed, target, deployment.plan(observed, target))
    assert host.served() == "web:1"


def test_going_back_takes_the_environment_back(host: Host) -> None:
    compose = json.loads(json.dumps(COMPOSE))
    compose["services"]["web"]["environment"] = {"MOTTO": "${MOTTO}"}
    motto = {"compose": json.dumps(compose)}
    host.deploy("1", **motto, environment={"VERSION": "1", "MOTTO": "one"})
    host.deploy("1", **motto, environment={"VERSION": "1", "MOTTO": "two"})
    host.go_back(1)
    written = host.root / "stacks/shop/colours/blue"
    assert json.loads((written / "compose.json").read_text())["services"]["web-blue"]["environment"]["MOTTO"] == "one"
    assert 'MOTTO="one"' in (written / "environment").read_text()
    assert host.history() == {3: "active", 2: "withdrawn", 1: "superseded"}


def test_going_back_takes_the_compose_file_back(host: Host) -> None:
    compose = json.loads(json.dumps(COMPOSE))
    compose["services"]["web"]["command"] = ["serve", "--fast"]
    host.deploy("1")
    host.deploy("1", compose=json.dumps(compose))
    web = host.root / "stacks/shop/colours"
    assert json.loads((web / "green/compose.json").read_text())["services"]["web-green"]["command"]
    host.go_back(1)
    assert "command" not in json.loads((web / "blue/compose.json").read_text())["services"]["web-blue"]
    assert (host.serving, host.served()) == ("blue", "web:1")


def test_an_image_goes_with_the_last_release_that_ran_it(host: Host) -> None:
    for version in ("1", "2", "3"):
        host.deploy(version)
    assert set(host.engine.images) == {"db:1", "web:1", "web:2", "web:3"}
    predicted = host.predict("2").sentences()
    outcome = host.deploy("2")
    said = "remove the image web:1: no release that is kept ran it"
    assert said in predicted
    assert predicted == outcome.plan.sentences()
    assert set(host.engine.images) == {"db:1", "web:2", "web:3"}
    assert (outcome.notes, set(host.history())) == ((), {4, 3, 2})


def test_an_image_that_another_stack_may_go_back_to_stays(host: Host) -> None:
    for version in ("1", "2", "3"):
        host.deploy(version)
    other = replace(host.kept().all()[-1], number=1)
    directory = host.root / "stacks/blog/releases/1"
    directory.mkdir(parents=True)
    state.write_state(state.StackState("blog", "blog", "r", "t"), str(host.root / "stacks"))
    (directory / "release.json").write_text(json.dumps(other.__dict__))
    host.deploy("2")
    assert "web:1" in host.engine.images


def test_an_image_that_cannot_be_removed_is_told_and_fails_nothing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("1", "2", "3"):
        host.deploy(version)
    monkeypatch.setattr(host.engine, "_image_rm", lambda name: (1, "", "Error response from daemon: conflict: in use"))
    outcome = host.deploy("2")
    assert outcome.notes == ("Image web:1 stays on this host: conflict: in use",)
    assert host.served() == "web:2"


CONDITIONAL = {"migrate", "backup", "canary", "websockets"}


def test_a_test_may_have_the_run_die_after_any_step(
    host: Host, backups: list[str], canary: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []
    monkeypatch.setattr(fault.os, "kill", lambda process, signal: killed.append(signal))
    host.options["rollout"] = replace(POLICY, websockets=1)
    host.options.update(compose=WITH_JOBS, overlapping=("web", "jobs"), consumers=("jobs",))
    host.deploy("1")
    for version, step in zip("23" * len(STEPS), STEPS, strict=False):
        monkeypatch.setenv(fault.VARIABLE, f"after:{step}")
        killed.clear()
        host.engine.images.pop(f"web:{version}", None)
        host.under_way = [1] * 100
        host.deploy(version)
        assert killed == [9], step
    assert set(STEPS) >= CONDITIONAL
