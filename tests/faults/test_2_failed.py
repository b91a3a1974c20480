"""Releases that fail, each in a way of its own: the one before serves on, nobody notices, and the message is true."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from tests.faults.petcare import INVENTORY, Petcare
from tests.faults.registry import Registry
from tests.faults.timeline import Timeline
from tests.faults.under_load import under_load
from tests.faults.variants import NEW, OLD, Variant, backend, merged, with_image

pytestmark = pytest.mark.bed

SOON = {"health": {"attempts": 8, "interval": 1}}
LARGE = "large"


@dataclass(frozen=True)
class Failure:
    """One way in which a release fails."""

    name: str
    variant: Variant
    says: Sequence[str]
    """What the message has to have in it."""
    recorded: bool = True
    """Whether it got so far that the history of releases has it, as failed."""
    during: Callable[[Petcare], AbstractContextManager[Any]] = field(default=lambda _: contextlib.nullcontext())
    """What is the matter with the host meanwhile."""


@contextmanager
def little_room(petcare: Petcare) -> Iterator[None]:
    """Have the engine download into a file system that is too small."""
    place = "/var/lib/docker/tmp"
    petcare.host.run(f"mkdir -p {place} && mount -t tmpfs -o size=1m tmpfs {place}", check=True)
    try:
        yield
    finally:
        petcare.host.run(f"umount {place}", check=True)


@contextmanager
def locked(petcare: Petcare) -> Iterator[None]:
    """Have somebody else hold the lock of the stack."""
    unit = "composeops-test-lock"
    petcare.host.run(f"systemd-run --unit {unit} flock /run/composeops/stack-petcare.lock sleep infinity", check=True)
    try:
        petcare.wait_until(petcare.locked, "the lock is held")
        yield
    finally:
        petcare.host.run(f"systemctl stop {unit}", check=True)


BEFORE_IT_STARTS = [
    Failure(
        "image missing",
        with_image("petcare/backend:nowhere"),
        ["Image petcare/backend:nowhere cannot be pulled", "Nothing was changed"],
        recorded=False,
    ),
    Failure("lock held", Variant(NEW), ["Stack petcare is held by"], recorded=False, during=locked),
    Failure(
        "migration fails",
        backend(options={"migration": {"service": "backend", "command": ["migrate"]}}, SAMPLE_FAULT_MIGRATION="1"),
        ["the migration failed", "told to fail"],
    ),
]

WHEN_IT_RUNS = [
    Failure(
        "container crash-loops",
        backend(SAMPLE_FAULT_CRASH_AFTER="0"),
        ["backend: it was restarted", "crashing, as told"],
    ),
    Failure(
        "never healthy",
        backend(options=SOON, SAMPLE_FAULT_UNHEALTHY="1"),
        ["backend: not ready after 8 tries 1 s apart", "/health HTTP/1.1"],
    ),
    Failure(
        "healthy but wrong version",
        backend(options=SOON, SAMPLE_FAULT_VERSION="9.9.9"),
        ["backend: it says that it is version 9.9.9, not 1.1.0"],
    ),
    Failure(
        "out of memory",
        Variant(NEW, {"backend": {"restart": "no", "environment": {"SAMPLE_FAULT_LEAK": "600"}}}),
        ["backend: it ended with status 137", "memory"],
    ),
    Failure(
        "healthy, then failing inside the watch window",
        backend(options={"rollout": {"watch": 20}}, SAMPLE_FAULT_UNHEALTHY="1", SAMPLE_FAULT_AFTER="12"),
        ["backend: it answers /health with status 503, not 200"],
    ),
]


def carry_out(petcare: Petcare, failures: Sequence[Failure]) -> Callable[[Timeline], None]:
    def fail(timeline: Timeline) -> None:
        for failure in failures:
            with timeline.window(failure.name):
                releases = petcare.releases()
                with failure.during(petcare):
                    run = petcare.release(failure.variant)
                assert not run.ok, f"{failure.name} was released:\n{run.output}"
                (message,) = run.failures
                for words in failure.says:
                    assert words in message, f"{failure.name}: {words!r} is not in:\n{message}"
                petcare.assert_serves(OLD)
                new = [found for found in petcare.releases() if found["number"] > releases[0]["number"]]
                assert [found["status"] for found in new] == ["failed"] * failure.recorded, failure.name

    return fail


def disk_full(registry: Registry) -> Failure:
    """From the registry itself: through a mirror, the engine would tell what it got from the next one instead."""
    registry.publish(f"petcare/backend:{NEW}", LARGE, megabytes=4)
    image = f"{registry.address}/petcare/backend:{LARGE}"
    says = [f"Image {image} cannot be pulled", "no space left on device", "Make room on this host"]
    return Failure("disk full while pulling", with_image(image), says, recorded=False, during=little_room)


def test_rfx_05_a_release_that_fails_before_it_starts(petcare: Petcare, registry: Registry) -> None:
    failures = [*BEFORE_IT_STARTS, disk_full(registry)]
    under_load("failed-before-start", petcare.host.inventory, petcare.back_to_old, carry_out(petcare, failures))


def test_rfx_05_a_release_that_fails_when_it_runs(petcare: Petcare) -> None:
    under_load("failed-running", petcare.host.inventory, petcare.back_to_old, carry_out(petcare, WHEN_IT_RUNS))


def test_a_tag_that_moved_is_a_release_and_what_nobody_has_any_more_is_not_gone_back_to(
    petcare: Petcare, registry: Registry
) -> None:
    image = "petcare/backend:moving"

    def move(timeline: Timeline) -> None:
        with timeline.window("a tag", closes=OLD):
            first = registry.publish(f"petcare/backend:{NEW}", "moving", label="first")
            run = petcare.release(with_image(image))
            assert run.ok, run.output
        number = petcare.record["release"]
        with timeline.window("the same tag, another image", closes=NEW):
            registry.publish(f"petcare/backend:{NEW}", "moving", label="second")
            run = petcare.release(with_image(image, pull="always"))
            assert run.ok, run.output
            assert petcare.record["release"] > number, "the moved tag was not released"
        with timeline.window("back to what nobody has any more"):
            registry.remove("petcare/backend", first)
            petcare.host.run("docker image prune --force", check=True)
            result = petcare.rollback(release=number)
            assert result["failed"]
            assert f"Release {number} of stack petcare ran {image}" in result["msg"]
            assert "Nothing was changed" in result["msg"]
            petcare.assert_serves(NEW)

    under_load("moved-tag", petcare.host.inventory, petcare.back_to_old, move)


def test_an_edge_that_nginx_refuses_or_cannot_load_leaves_the_one_before(petcare: Petcare) -> None:
    sites = yaml.safe_load((INVENTORY / "group_vars/all/edge.yml").read_text(encoding="utf-8"))["edge_sites"]

    def with_snippet(snippet: str) -> dict[str, Any]:
        return {"edge_sites": [merged(sites[0], {"snippet": snippet}), *sites[1:]]}

    def break_it(timeline: Timeline) -> None:
        with timeline.window("edge configuration invalid"):
            run = petcare.play("stack", "edge", variant=Variant(OLD), extra=with_snippet("this_is not_nginx;"))
            (message,) = run.failures
            assert 'unknown directive "this_is"' in message
            assert "Nothing was changed" in message
        with timeline.window("edge reload fails"), taken(petcare, 8443):
            # nginx finds the port taken only when it loads what it had found to be right.
            run = petcare.play("stack", "edge", variant=Variant(OLD), extra=with_snippet("listen 8443 ssl;"))
            (message,) = run.failures
            assert "8443 failed (98: Address already in use)" in message
            assert "was put back and serves" in message
        petcare.assert_serves(OLD)

    under_load("edge", petcare.host.inventory, petcare.back_to_old, break_it)
    run = petcare.play("edge", variant=Variant(OLD))
    assert run.ok, run.output
    assert run.changed == []


@contextmanager
def taken(petcare: Petcare, port: int) -> Iterator[None]:
    """Have a stranger listen on a port of the host."""
    unit = "composeops-test-port"
    petcare.host.run(["systemd-run", "--unit", unit, "python3", "-m", "http.server", str(port)], check=True)
    connect = f"import socket; socket.create_connection(('127.0.0.1', {port}))"
    try:
        petcare.wait_until(lambda: petcare.host.run(["python3", "-c", connect]).ok, "the port is taken")
        yield
    finally:
        petcare.host.run(f"systemctl stop {unit}", check=True)
