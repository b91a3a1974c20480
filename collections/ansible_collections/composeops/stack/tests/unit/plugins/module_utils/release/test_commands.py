# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import argparse

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import commands, state
from ansible_collections.composeops.stack.plugins.module_utils.release.operations import Status

RECORD = state.StackState("shop", "shop", "5f2b8c0de1a94b73", "2026-05-01T12:00:00+00:00")


def service(name: str, ok: bool) -> dict[str, object]:
    entry = {"name": name, "image": f"{name}:1", "digest": "", "state": "running", "health": "", "ports": []}
    return {**entry, "ok": ok}


STATUS = {
    "shop": Status(RECORD, (service("web", True),)),
    "blog": Status(RECORD, (service("web", True), service("db", False))),
    "none": Status(None, ()),
}


class FakeOperations:
    def __init__(self, stack: str, runner: object) -> None:
        self.stack = stack

    def status(self, services: list[str]) -> Status:
        return STATUS[self.stack]

    def logs(self, services: list[str], lines: int) -> dict[str, list[str]]:
        return {service: [f"line {number}" for number in range(lines)] for service in services}


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "Operations", FakeOperations)
    monkeypatch.setattr(commands, "deployed_stacks", lambda: ["blog", "shop"])


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    commands.register(parser.add_subparsers(required=True))
    arguments = parser.parse_args(argv)
    return int(arguments.handler(arguments))


def test_pet_06_status_of_everything_ends_with_1_when_a_service_is_not_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status") == 1
    said = capsys.readouterr().out
    assert "blog: release 5f2b8c0de1a94b73 since 2026-05-01T12:00:00+00:00\n" in said
    assert "  web      web:1  -       running" in said
    assert "shop:" in said


def test_status_of_a_stack_that_is_well() -> None:
    assert run("status", "shop") == 0


def test_status_of_a_stack_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ComposeOpsError, match=r"Stack none was never deployed on this host\. There are: blog, shop\."):
        run("status", "none")


def test_a_stopped_stack_says_so() -> None:
    stopped = state.StackState("shop", "shop", "r", "t", stopped=True)
    assert commands.describe(stopped) == "release r since t, stopped by an operator"


def test_pet_06_logs_of_a_service(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("logs", "shop", "web", "--lines", "2") == 0
    assert capsys.readouterr().out == "== web\nline 0\nline 1\n"
