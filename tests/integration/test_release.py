"""Releases with two colours on a real host: the modules stack (rollout), rollback and release_info."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.stack_host import SECRET, STACK, StackHost, bare_fixture, engine_fixture

pytestmark = pytest.mark.bed

__all__ = ["bare_fixture", "engine_fixture"]

ROLLOUT = {"strategy": "blue_green", "watch": 1, "drain": 5}


def release(
    stack: StackHost,
    version: str,
    *,
    answers: str = "",
    rollout: dict[str, Any] | None = None,
    values: dict[str, str] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Release a version, which has to answer as ``answers``."""
    stack.environment = {"VERSION": version, **(values or {})}
    route = {"service": "web", "port": 3000, "path": "/version", "status": 200}
    route |= {"version_header": "X-App-Version", "version": answers or version}
    return stack.deploy(rollout={**ROLLOUT, **(rollout or {})}, routed=[route], **options)


def released(stack: StackHost, version: str, **options: Any) -> dict[str, Any]:
    """Release a version and be sure that it is."""
    result = release(stack, version, **options)
    assert not result["failed"], result["msg"]
    return result


def serving(stack: StackHost) -> tuple[str, str]:
    """Return the colour that requests go to, and the version that answers there."""
    green = stack.bed.exists(f"/etc/nginx/composeops/active/{STACK}.green")
    colour = "green" if green else "blue"
    record = json.loads(stack.bed.read(f"/var/lib/composeops/stacks/{STACK}/state.json"))
    assert record["colour"] == colour
    (port,) = [entry["host_port"] for entry in record["endpoints"] if entry["colour"] == colour]
    return colour, stack.version(port)


def projects(stack: StackHost) -> set[str]:
    form = '{{.Label "com.docker.compose.project"}}'
    listed = set(stack.docker("ps", "--format", form).split())
    return {name for name in listed if name.startswith(STACK)}


def containers(stack: StackHost, colour: str) -> set[str]:
    """Return the ids of the containers that run in a colour."""
    label = f"label=com.docker.compose.project={STACK}-{colour}"
    return set(stack.docker("ps", "--no-trunc", "--quiet", "--filter", label).split())


def image_there(stack: StackHost, reference: str) -> bool:
    return stack.bed.run(["docker", "image", "inspect", reference]).ok


def rollback(stack: StackHost, *, check: bool = False, **options: Any) -> dict[str, Any]:
    return stack.bed.module("composeops.stack.rollback", {"name": STACK, **options}, check=check)


def releases(stack: StackHost) -> list[tuple[int, str]]:
    found = stack.bed.module("composeops.stack.release_info", {"name": STACK})
    assert not found["changed"]
    return [(entry["number"], entry["status"]) for entry in found["releases"]]


@pytest.fixture(name="first", scope="module")
def first_fixture(bare: StackHost) -> StackHost:
    """The stack in its first release, which went to blue."""
    assert not bare.secrets({"name": SECRET})["failed"]
    assert releases(bare) == []
    checked = release(bare, "1.0.0", check=True)
    assert checked["changed"]
    assert not bare.bed.exists(f"/var/lib/composeops/stacks/{STACK}/state.json")
    result = release(bare, "1.0.0")
    assert not result["failed"], result["msg"]
    return bare


# The tests follow one stack through its releases, in the order in which they stand.


def test_rfx_05_the_first_release_serves_from_blue_and_a_second_run_changes_nothing(first: StackHost) -> None:
    assert serving(first) == ("blue", "1.0.0")
    assert projects(first) == {STACK, f"{STACK}-blue"}
    assert not release(first, "1.0.0", check=True)["changed"]
    assert not release(first, "1.0.0")["changed"]


def test_rfx_05_an_upgrade_takes_over_and_retires_the_one_before(first: StackHost) -> None:
    cache = first.docker("inspect", "--format", "{{.Id}}", f"{STACK}-cache-1")
    checked = release(first, "1.1.0", check=True)
    assert checked["changed"]
    assert serving(first) == ("blue", "1.0.0")
    result = release(first, "1.1.0")
    assert not result["failed"], result["msg"]
    assert serving(first) == ("green", "1.1.0")
    assert projects(first) == {STACK, f"{STACK}-green"}
    assert first.docker("inspect", "--format", "{{.Id}}", f"{STACK}-cache-1") == cache
    assert not release(first, "1.1.0")["changed"]


def test_a_release_that_answers_as_another_version_fails_and_the_one_before_serves(first: StackHost) -> None:
    result = release(first, "1.0.0", answers="9.9.9")
    assert result["failed"]
    assert "9.9.9" in result["msg"]
    assert serving(first) == ("green", "1.1.0")
    assert projects(first) == {STACK, f"{STACK}-green"}
    assert releases(first)[0] == (3, "failed")


def test_a_rollback_goes_back_past_what_failed(first: StackHost) -> None:
    checked = rollback(first, check=True)
    assert (checked["changed"], checked["went_back_to"]) == (True, 1)
    assert serving(first) == ("green", "1.1.0")
    result = rollback(first)
    assert not result["failed"], result["msg"]
    assert serving(first) == ("blue", "1.0.0")
    assert releases(first) == [(4, "active"), (3, "failed"), (2, "withdrawn"), (1, "superseded")]


@pytest.mark.parametrize(("wanted", "why"), [(3, "never served"), (99, "has no release 99")], ids=["failed", "unknown"])
def test_a_release_that_cannot_be_gone_back_to_is_refused(first: StackHost, wanted: int, why: str) -> None:
    result = rollback(first, release=wanted)
    assert result["failed"]
    assert why in result["msg"]
    assert serving(first) == ("blue", "1.0.0")


def test_an_environment_alone_is_released_and_gone_back_from(first: StackHost) -> None:
    form = "{{range .Config.Env}}{{println .}}{{end}}"
    result = released(first, "1.0.0", values={"START_DELAY": "0.5"})
    assert serving(first) == ("green", "1.0.0")
    (container,) = containers(first, "green")
    assert "START_DELAY=0.5" in first.docker("inspect", "--format", form, container)
    assert result["summary"][1]["rows"][0][0] == f"* {result['release']}"
    went = rollback(first)
    assert not went["failed"], went["msg"]
    (container,) = containers(first, "blue")
    assert "START_DELAY=0" in first.docker("inspect", "--format", form, container).splitlines()
    assert not release(first, "1.0.0")["changed"]


def test_an_image_that_is_gone_comes_back_by_its_digest(first: StackHost) -> None:
    released(first, "1.1.0")
    first.docker("image", "rm", "--force", "petcare/backend:1.0.0")
    predicted = rollback(first, check=True, prepare_only=True)
    assert predicted["changed"]
    assert predicted["plan"][0].startswith("pull petcare/backend@sha256:")
    assert not image_there(first, "petcare/backend:1.0.0")
    prepared = rollback(first, prepare_only=True)
    assert not prepared["failed"], prepared["msg"]
    assert prepared["plan"] == predicted["plan"]
    assert image_there(first, "petcare/backend:1.0.0")
    assert serving(first)[1] == "1.1.0"
    went = rollback(first)
    assert not went["failed"], went["msg"]
    assert serving(first)[1] == "1.0.0"


def test_a_name_that_moved_to_another_image_moves_back(first: StackHost) -> None:
    released(first, "1.1.0")
    first.docker("tag", "petcare/backend:1.1.0", "petcare/backend:1.0.0")
    went = rollback(first)
    assert not went["failed"], went["msg"]
    assert serving(first)[1] == "1.0.0"


WARM = {"warm": True}


def test_a_warm_release_is_one_switch_away(first: StackHost) -> None:
    released(first, "1.0.0", rollout=WARM)
    old, _ = serving(first)
    kept = containers(first, old)
    released(first, "1.1.0", rollout=WARM)
    new, version = serving(first)
    assert (new != old, version, containers(first, old)) == (True, "1.1.0", kept)
    assert not release(first, "1.1.0", rollout=WARM)["changed"]
    predicted = rollback(first, check=True)
    went = rollback(first)
    assert not went["failed"], went["msg"]
    assert went["plan"] == predicted["plan"]
    assert any("which is still running" in sentence for sentence in went["plan"])
    assert (serving(first), containers(first, old)) == ((old, "1.0.0"), kept)
    assert containers(first, new) == set()
    assert went["seconds"]["start"] < 2


def test_a_warm_release_makes_room_for_the_next_and_ends_when_nobody_wants_it(first: StackHost) -> None:
    released(first, "1.1.0", rollout=WARM)
    _, version = serving(first)
    released(first, "1.1.0", rollout=WARM, values={"START_DELAY": "0.1"})
    colour, version = serving(first)
    assert version == "1.1.0"
    assert projects(first) == {STACK, f"{STACK}-blue", f"{STACK}-green"}
    states = first.bed.module("composeops.stack.stack_info", {"name": STACK})["services"]
    assert [entry["containers"] for entry in states if entry["name"] == "web"] == [[f"{STACK}-{colour}-web-{colour}-1"]]
    ended = released(first, "1.1.0", values={"START_DELAY": "0.1"})
    assert ended["changed"]
    assert "rollout.warm is off" in ended["plan"][0]
    assert projects(first) == {STACK, f"{STACK}-{colour}"}
    assert not release(first, "1.1.0", values={"START_DELAY": "0.1"})["changed"]


def test_images_go_with_the_last_release_that_ran_them(first: StackHost) -> None:
    released(first, "1.0.0")
    assert image_there(first, "petcare/backend:1.1.0")
    checked = release(first, "1.0.0", rollout={"keep": 1}, values={"START_DELAY": "0.2"}, check=True)
    result = released(first, "1.0.0", rollout={"keep": 1}, values={"START_DELAY": "0.2"})
    said = "remove the image petcare/backend:1.1.0: no release that is kept ran it"
    assert said in checked["plan"]
    assert said in result["plan"]
    assert not image_there(first, "petcare/backend:1.1.0")
    assert image_there(first, "redis:7-alpine")
    assert len(releases(first)) == 1
    refused = rollback(first)
    assert refused["failed"]
    assert "no earlier release" in refused["msg"]


WORKER = """\
  worker:
    image: petcare/backend:${VERSION:?}
    restart: unless-stopped
"""
CONSUMERS = {"overlapping": ["worker"], "consumers": ["worker"]}


@pytest.fixture(name="queue", scope="module")
def queue_fixture(first: StackHost) -> StackHost:
    """The stack with a worker that reads what the web service writes."""
    compose = first.directory / "compose.yaml"
    compose.write_text(compose.read_text().replace("  init:\n", f"{WORKER}  init:\n", 1))
    released(first, "1.0.0", **CONSUMERS)
    assert worker(first, serving(first)[0]) == "running"
    return first


def worker(stack: StackHost, colour: str) -> str:
    """Return the state of the worker of a colour; nothing where it has none."""
    names = [
        "--filter",
        f"label=com.docker.compose.project={STACK}-{colour}",
        "--filter",
        f"name={STACK}-{colour}-worker",
    ]
    return stack.docker("ps", "--all", "--format", "{{.State}}", *names)


def test_a_consumer_ends_before_requests_move_and_works_again_after_a_death(queue: StackHost) -> None:
    old, _ = serving(queue)
    new = {"blue": "green", "green": "blue"}[old]
    stops = f"stop worker in {old} before any request goes to {new}"
    assert stops in release(queue, "1.1.0", check=True, **CONSUMERS)["plan"]
    killed = release(queue, "1.1.0", fault="after:consumers", **CONSUMERS)
    assert killed["failed"]
    assert serving(queue) == (old, "1.0.0")
    assert (worker(queue, old), worker(queue, new)) == ("exited", "running")
    undone = released(queue, "1.0.0", **CONSUMERS)
    assert undone["changed"]
    assert (worker(queue, old), worker(queue, new)) == ("running", "")
    assert not release(queue, "1.0.0", **CONSUMERS)["changed"]
    applied = released(queue, "1.1.0", **CONSUMERS)
    assert stops in applied["plan"]
    assert "consumers" in applied["seconds"]
    assert serving(queue) == (new, "1.1.0")
    assert (worker(queue, old), worker(queue, new)) == ("", "running")
    assert not release(queue, "1.1.0", **CONSUMERS)["changed"]
