"""The module `stack_info` on a real host."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.stack_host import STACK, StackHost, bare_fixture, deployed_fixture, engine_fixture

pytestmark = pytest.mark.bed

__all__ = ["bare_fixture", "deployed_fixture", "engine_fixture"]


def information(stack: StackHost, **options: Any) -> dict[str, Any]:
    return stack.bed.module("composeops.stack.stack_info", {"name": STACK, **options})


def test_pet_06_status_of_a_stack_that_was_never_deployed(bare: StackHost) -> None:
    result = information(bare)
    assert (result["failed"], result["deployed"], result["services"]) == (False, False, [])


def test_pet_06_status(deployed: StackHost) -> None:
    result = information(deployed)
    assert not result["changed"]
    assert result["deployed"]
    assert {entry["name"]: entry["health"] for entry in result["services"]} == {
        "cache": "healthy",
        "init": "",
        "web": "healthy",
    }
    assert all(entry["digest"].startswith("sha256:") for entry in result["services"])
    assert [endpoint["host_port"] for endpoint in result["endpoints"]] == [24000]
    table = result["summary"][0]
    web = dict(zip(table["columns"], table["rows"][2], strict=True))
    assert (web["service"], web["image"]) == ("web", "petcare/backend:1.0.0")
    assert (web["state"], web["health"]) == ("running", "healthy")


def test_status_tells_what_is_wrong(deployed: StackHost) -> None:
    deployed.bed.run(f"docker rm --force {STACK}-web-1 && docker kill {STACK}-cache-1", check=True)
    states = {entry["name"]: entry["state"] for entry in information(deployed)["services"]}
    assert states == {"cache": "exited (137)", "init": "exited (0)", "web": "absent"}


def test_pet_06_logs_of_one_service_without_its_secrets(deployed: StackHost) -> None:
    result = information(deployed, services=["web"], log_lines=100)
    (log,) = result["logs"]
    assert log["service"] == "web"
    assert "the password is (sensitive)" in log["lines"]
    assert deployed.secret() not in json.dumps(result)
    assert [entry["name"] for entry in result["services"]] == ["web"]


def test_an_unknown_service_is_refused(deployed: StackHost) -> None:
    result = information(deployed, services=["wbe"])
    assert result["failed"]
    assert "has no service 'wbe' on this host. It has cache, init, web." in result["msg"]
