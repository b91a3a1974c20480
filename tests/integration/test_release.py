"""Releases with two colours on a real host: the modules stack (rollout), rollback and release_info."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.stack_host import SECRET, STACK, StackHost, bare_fixture, engine_fixture

pytestmark = pytest.mark.bed

__all__ = ["bare_fixture", "engine_fixture"]

ROLLOUT = {"strategy": "blue_green", "watch": 1, "drain": 5}


def release(stack: StackHost, version: str, *, answers: str = "", **options: Any) -> dict[str, Any]:
    """Release a version, which has to answer as ``answers``."""
    stack.environment = {"VERSION": version}
    route = {"service": "web", "port": 3000, "path": "/version", "status": 200}
    route |= {"version_header": "X-App-Version", "version": answers or version}
    return stack.deploy(rollout=ROLLOUT, routed=[route], **options)


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
